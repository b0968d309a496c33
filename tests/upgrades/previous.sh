#!/usr/bin/env bash
# tests/upgrades/previous.sh: builds the symbolond of the release that the file PREVIOUS names, from the history, and prints its
# path. What was built stays in build/previous and is built once.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
named=$(grep -v '^#' "$root/tests/upgrades/PREVIOUS")

fail() {
  echo "previous release: $*" >&2
  exit 1
}

git -C "$root" rev-parse --is-inside-work-tree >/dev/null 2>&1 ||
  fail "$named is built from the history, and this is no git repository"
find_commit() { git -C "$root" rev-parse --verify --quiet "$named^{commit}"; }

# A shallow clone can get what it lacks, if it still knows from where.
find_commit >/dev/null || git -C "$root" fetch --quiet --depth=1 origin "$named" 2>/dev/null || true
commit=$(find_commit) || fail "the history here has no $named, because it is shallow or another one: git fetch --unshallow --tags"

folder=$root/build/previous/$commit
program=$folder/symbolond
if [ ! -x "$program" ]; then
  rm -rf "$folder"
  mkdir -p "$folder/source"
  git -C "$root" archive "$commit" | tar --extract --directory "$folder/source"
  echo "tests: building symbolond of the previous release, $named" >&2
  # What differs from one place of the source to another is nothing that a compiler sees.
  export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros
  build=$folder/source/build/release
  log=$folder/build.log
  (cd "$folder/source" && cmake --preset release -DCMAKE_PROJECT_symbolon_INCLUDE="$root/tests/upgrades/previous.cmake") \
    >"$log" 2>&1 && ninja -C "$build" symbolond >>"$log" 2>&1 || fail "$named does not build; see $log"
  cp "$build/bin/symbolond" "$program.new"
  mv "$program.new" "$program"
  rm -r "$folder/source"
fi
echo "$program"
