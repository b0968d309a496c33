#!/usr/bin/env bash
# Installs the Debian packages that are missing; says nothing when none are. As root, or with sudo.
#   tools/setup.sh          what building and running needs
#   tools/setup.sh test     that, and what the tests and benchmarks need
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

lists=("$here/packages.txt")
[ "${1:-}" = test ] && lists+=("$here/packages-test.txt")

missing=()
while read -r package; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] && continue
  # A Node.js that is already there (from anywhere) serves as well as Debian's.
  case "$package" in nodejs | npm) command -v "${package/nodejs/node}" >/dev/null && continue ;; esac
  missing+=("$package")
done < <(cat "${lists[@]}" | sed 's/#.*//' | grep -v '^[[:space:]]*$')

[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "setup: needs root or sudo to install: ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
echo "setup: installing ${#missing[@]} Debian packages: ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
echo "setup: done"
