#!/usr/bin/env bash
# Publishes serve and serve-worker into one folder, which is moved into place when it is complete: a server that runs
# from the old one keeps its files. Quiet unless it fails.
set -euo pipefail
target=$1
cd "$(dirname "$0")/.."
log=$(mktemp)
new=$target.new.$$ old=$target.old.$$
trap 'rm -rf "$log" "$new" "$old"' EXIT

quietly() {
  if ! "$@" >"$log" 2>&1; then
    grep -E ': (error|warning) |error MSB|Unhandled' "$log" | sort -u >&2 || tail -n 30 "$log" >&2
    exit 1
  fi
}

# Compiled ahead of time for this platform (ReadyToRun): the server answers a third of a second earlier. That needs a
# compiler from the package source; without it everything works, and starts a little slower.
rid=$(dotnet --info | sed -nE 's/^ *RID: *//p' | head -n 1)
ahead=(-r "$rid" --self-contained false -p:PublishReadyToRun=true)
if ! dotnet restore Serve.Frontend -r "$rid" -p:PublishReadyToRun=true --nologo -v quiet >/dev/null 2>&1; then
  echo "The ahead-of-time compiler for $rid cannot be had: building without it." >&2
  ahead=()
fi

# One after the other: both share Serve.Core, and write into the same folder.
for project in Serve.Frontend Serve.Worker; do
  quietly dotnet publish "$project" -c Release -o "$new" --nologo -v quiet "${ahead[@]}" ${SERVE_PUBLISH_FLAGS:-}
done
[ ! -e "$target" ] || mv "$target" "$old"
mv "$new" "$target"
echo "Built $target/serve ($("$target/serve" --version))"
