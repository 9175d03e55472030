#!/usr/bin/env bash
# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes this checkout ready: system packages, then the virtual environment .venv with pinned versions.
# usage: scripts/setup.sh site|test|rehearsal|bench      (what it is wanted for; test needs more than site, and the last
# two more than test)
# Running it again costs a fraction of a second.
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:-site}
case $purpose in site) requirements=requirements/controller.txt ;; test | rehearsal) requirements=requirements/dev.txt ;;
  bench) requirements=requirements/bench.txt ;;
  *) echo "usage: scripts/setup.sh site|test|rehearsal|bench" >&2; exit 2 ;; esac

# ---- system packages: one "command:package" or "/file:package" each --------------------------------------------
wanted="ip:iproute2 nsenter:util-linux ping:iputils-ping wg:wireguard-tools"
if [ "$purpose" != site ]; then
  wanted="$wanted git:git wg-quick:wireguard-tools wireguard-go:wireguard-go iperf3:iperf3 systemd-analyze:systemd nft:nftables setpriv:util-linux"
fi
if [ "$purpose" = rehearsal ]; then # Wine without X, and the compilers of the stand-ins
  wanted="$wanted /usr/lib/wine/wine64:wine64 /usr/include/wine/wine/windows/windows.h:libwine-dev winegcc-stable:wine64-tools"
  wanted="$wanted x86_64-w64-mingw32-gcc:gcc-mingw-w64-x86-64-win32 gcc:gcc /usr/include/stdio.h:libc6-dev taskset:util-linux"
fi

suitable_python() { # the first interpreter that is new enough and can make virtual environments
  local candidate
  for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null 2>&1 &&
      "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

missing=""
for pair in $wanted; do
  command -v "${pair%%:*}" >/dev/null 2>&1 || [ -x "/usr/sbin/${pair%%:*}" ] || [ -f "${pair%%:*}" ] || missing="$missing ${pair##*:}"
done
if ! suitable_python >/dev/null; then
  missing="$missing python3 python3-venv"
  # Ubuntu 22.04: python3 is 3.10, and 3.11 has packages of its own
  if command -v apt-cache >/dev/null 2>&1 && [ -n "$(apt-cache search --names-only '^python3\.11-venv$' 2>/dev/null)" ]; then
    missing="$missing python3.11 python3.11-venv"
  fi
fi
missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')
if [ -n "${missing// /}" ]; then
  install="apt-get install --yes --no-install-recommends $missing"
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "setup: installing system packages: $missing"
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    if ! { apt-get update && $install; } >"$log" 2>&1; then
      tail -n 20 "$log" >&2
      echo "setup: '$install' failed (the end of its output is above)" >&2
      exit 1
    fi
    rm -f "$log"
  else
    echo "setup: system packages are missing. Install them, then run this again:" >&2
    echo "    sudo apt-get update && sudo $install" >&2
    exit 1
  fi
fi
python=$(suitable_python) || {
  echo "setup: Python 3.11 or newer with venv is needed, and this system offers none; set PYTHON=/path/to/python3.11" >&2
  exit 1
}

# ---- virtual environment: made again only when what defines it has changed --------------------------------------
[ "$purpose" != rehearsal ] || purpose=test # the same Python packages
stamp_for() { { cat requirements/*.txt agent/pyproject.toml; echo "$1" "$("$python" -V)" "$PWD"; } | sha256sum | cut -c1-16; }
for served_by in "$purpose" test bench; do # what serves the tests also serves the site, and what serves the benchmark all
  [ "$purpose/$served_by" != bench/test ] || continue
  [ ! -f ".venv/.stamp-$served_by" ] || [ "$(cat ".venv/.stamp-$served_by")" != "$(stamp_for "$served_by")" ] || exit 0
done
echo "setup: making .venv with $("$python" -V) for '$purpose' (a minute or two)"
[ -x .venv/bin/python ] && .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
  { rm -rf .venv && "$python" -m venv .venv; }
rm -f .venv/.stamp-*
.venv/bin/python -m pip install -qq --disable-pip-version-check --constraint requirements/constraints.txt \
  --requirement "$requirements" --editable "agent[fast]"
stamp_for "$purpose" >".venv/.stamp-$purpose"
