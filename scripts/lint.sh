#!/usr/bin/env bash
# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Style, lint and types of everything. Needs scripts/setup.sh test.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

step() { echo "lint: $*"; "$@"; }

step ruff format --check --quiet .
step ruff check --quiet .
step mypy --strict -p wirefleet_agent
step mypy --strict --platform win32 -p wirefleet_agent
MYPYPATH=collections step mypy --strict --namespace-packages --explicit-package-bases \
  -p ansible_collections.wirefleet.wireguard.plugins.module_utils \
  -p ansible_collections.wirefleet.wireguard.plugins.plugin_utils
MYPYPATH=tests/rehearsal:tests/rehearsal/wsman:lab step mypy --strict -p wirefleet_rehearsal -p wirefleet_wsman
MYPYPATH=bench:lab step mypy --strict -p wirefleet_bench
step ansible-lint -q
