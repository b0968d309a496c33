#!/usr/bin/env bash
# tools/build.sh PRESET [TARGET ...]: configures and builds (everything, when no target is named). Shows progress on a
# terminal; elsewhere says one line, or what failed. The whole output is in build/PRESET/build.log.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=$1
shift
mkdir -p "build/$preset"
log=build/$preset/build.log
started=$SECONDS

fail() {
  echo "build: $preset failed; the end of $log:" >&2
  tail -n 60 "$log" >&2
  exit 1
}

cmake --preset "$preset" >"$log" 2>&1 || fail
export NINJA_STATUS="build $preset [%f/%t] "
if [ -t 1 ]; then
  ninja -C "build/$preset" "$@"
else
  ninja -C "build/$preset" "$@" >>"$log" 2>&1 || fail
fi
echo "build: $preset done in $((SECONDS - started)) s"
