#!/usr/bin/env bash
# Builds and runs all tests; the last line is "N passed, N failed". TESTS holds arguments for xunit's runner, for example
# TESTS='-namespace Serve.Tests.Frontend*'.
set -uo pipefail
configuration=$1
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Settings of the runtime for programs that live shortly: the compiler's, and those of the tests that they cannot make
# themselves. Serve.Tests/QuickStarts.cs has them for the servers that the tests start.
export DOTNET_TieredPGO=0 DOTNET_EnableWriteXorExecute=0

# BUILT=1: they have just been built.
if [ "${BUILT:-}" != 1 ] && ! dotnet build Serve.Tests -c "$configuration" --nologo -v quiet >"$log" 2>&1; then
  grep -E ': (error|warning) |error MSB' "$log" | sort -u >&2 || tail -n 30 "$log" >&2
  echo "0 passed, 1 failed (the tests do not build)"
  exit 1
fi

# A run takes five to eight minutes. One that does not end is stopped, says which tests took long, and is tried once more.
run_tests() {
  # shellcheck disable=SC2086 # several arguments on purpose
  timeout -k 10 1500 dotnet "Serve.Tests/bin/$configuration/net10.0/Serve.Tests.dll" -noLogo -noColor -diagnostics ${TESTS:-} 2>&1 |
    tee "$log" | awk '/ \[PASS\]$/ { quiet = 1; next } match($0, /[^ ]/) && RSTART <= 5 { quiet = 0 } !quiet { print; fflush() }'
  code=${PIPESTATUS[0]}
}
run_tests
if [ "$code" -eq 124 ]; then
  echo "The tests did not end within 25 minutes; running them once more."
  run_tests
fi

# "   Serve.Tests  Total: 9, Errors: 0, Failed: 1, Skipped: 2, Not Run: 0, Time: 1.2s"
summary=$(grep -E 'Total: [0-9]+, Errors: [0-9]+, Failed: [0-9]+' "$log" | tail -n 1)
number() { sed -nE "s/.*$1: ([0-9]+).*/\1/p" <<<"$summary"; }
if [ -z "$summary" ]; then
  echo "0 passed, 1 failed (the tests did not run to their end)"
  exit 1
fi
failed=$(($(number Failed) + $(number Errors)))
passed=$(($(number Total) - $(number Failed) - $(number Skipped) - $(number 'Not Run')))
[ "$code" -ne 0 ] && [ "$failed" -eq 0 ] && failed=1
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
