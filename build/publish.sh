#!/usr/bin/env bash
# Publishes serve and serve-worker into one folder, which is moved into place when it is complete. Quiet unless it fails.
set -euo pipefail
target=$1
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT

quietly() {
  if ! "$@" >"$log" 2>&1; then
    grep -E ': (error|warning) |error MSB|Unhandled' "$log" | sort -u >&2 || tail -n 30 "$log" >&2
    exit 1
  fi
}

# One after the other: both share Serve.Core, and write into the same folder.
for project in Serve.Frontend Serve.Worker; do
  quietly dotnet publish "$project" -c Release -o "$target" --nologo -v quiet ${SERVE_PUBLISH_FLAGS:-}
done
echo "Built $target/serve ($("$target/serve" --version))"
