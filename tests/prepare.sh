#!/usr/bin/env bash
# Fetches what the tests in tests/ use, when it is missing: a Node.js that is new enough (the AWS SDK wants 20; Debian 12
# has 18), the npm packages, and boto3 and the AWS CLI in build/tools/python. Prints the path of node.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
tools=$(cd "$here/.." && pwd)/build/tools
mkdir -p "$tools"
node_release=22.23.3

quietly() { "$@" >"$tools/prepare.log" 2>&1 || { cat "$tools/prepare.log" >&2; exit 1; }; }

# once NAME FILE COMMAND...: runs COMMAND unless it succeeded before with FILE as it is now.
once() {
  local done_for=$tools/$1.done file=$2
  shift 2
  cmp -s "$file" "$done_for" && return
  echo "tests: fetching what $(basename "$file") names" >&2
  quietly "$@"
  cp "$file" "$done_for"
}

new_enough() { "$1" -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' 2>/dev/null; }

node=$(command -v node || true)
if [ -z "$node" ] || ! new_enough "$node"; then
  case $(uname -m) in aarch64) machine=arm64 ;; *) machine=x64 ;; esac
  package=node-linux-$machine
  node=$tools/node/node_modules/$package/bin/node
  new_enough "$node" || quietly npm install --no-save --prefix "$tools/node" "$package@$node_release"
fi

packages() { (cd "$here" && npm ci --ignore-scripts --no-audit --no-fund); }
python() {
  python3 -m venv --clear "$tools/python"
  "$tools/python/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$here/requirements.txt"
}
[ -d "$here/node_modules" ] || rm -f "$tools/npm.done"
once npm "$here/package-lock.json" packages
once python "$here/requirements.txt" python
echo "$node"
