#!/usr/bin/env bash
# Succeeds if the .NET SDK that global.json asks for is there; otherwise one line says what to install.
wanted=10.0
install="install it from https://dotnet.microsoft.com/download/dotnet/$wanted (Debian and Ubuntu: the package dotnet-sdk-$wanted)"
if ! command -v dotnet >/dev/null 2>&1; then
  echo "Serve needs the .NET SDK $wanted, and there is no dotnet command: $install." >&2
  exit 1
fi
cd "$(dirname "$0")/.." || exit 1
# Prints the SDK that global.json selects; fails if none fits.
if ! dotnet --version >/dev/null 2>&1; then
  found=$(cd / && dotnet --list-sdks 2>/dev/null | awk '{ print $1 }' | paste -sd ' ' -)
  echo "Serve needs the .NET SDK $wanted, and only ${found:-the runtime} is installed: $install." >&2
  exit 1
fi
