#!/usr/bin/env bash
# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs ansible-test on a copy of what Ansible itself loads (it refuses the symlink that serves playbooks from a
# checkout; the agent, the lab, the rehearsal, the benchmark and the scripts are ordinary Python and shell with linters
# of their own).
# usage: scripts/ansible_test.sh sanity|units [ARGUMENT...]
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
export PATH="$root/.venv/bin:$PATH"
version=$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
pip_version=$(python -c 'import ansible_test, pathlib, re
source = pathlib.Path(ansible_test.__path__[0], "_internal", "python_requirements.py").read_text()
print(re.search(r"pip=.(\d+\.\d+(\.\d+)?)", source)[1])')

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
copy="$work/ansible_collections/wirefleet/wireguard"
mkdir -p "$copy"
git ls-files -z --cached --others --exclude-standard -- ':(exclude)collections' ':(exclude)agent' ':(exclude)lab' ':(exclude)bench' ':(exclude)scripts' ':(exclude)tests/rehearsal' |
  while IFS= read -r -d '' file; do [ -e "$file" ] && printf '%s\0' "$file"; done |
  xargs -0 cp --parents --no-dereference --target-directory="$copy"

cache="$HOME/.ansible/test/cache"
script="$cache/get_pip_${pip_version//./_}.py"
if [ ! -f "$script" ]; then
  mkdir -p "$cache"
  python -m pip download --quiet --disable-pip-version-check --no-deps --dest "$cache" "pip==$pip_version"
  cp scripts/get_pip.py "$script"
fi
# The collections that ours depends on come with the ansible package.
ln -s "$(python -c 'import ansible_collections; print(list(ansible_collections.__path__)[0])')/ansible" "$work/ansible_collections/ansible"
cd "$copy"
mode=$1
shift
ansible-test "$mode" --color no --python "$version" "$@"
