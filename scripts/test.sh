#!/usr/bin/env bash
# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Everything that CI runs, in the order in which failures are cheapest. Needs scripts/setup.sh test.
# The tests use namespaces, state directories and interfaces of their own: a lab that is up stays as it is.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH:/usr/sbin:/sbin"
export ANSIBLE_CONFIG="$PWD/ansible.cfg"
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT

run() { # title, command...: its output is shown only when it fails
  local title=$1 started=$SECONDS
  shift
  printf 'test: %s ... ' "$title"
  if "$@" >"$log/step" 2>&1; then
    echo "ok ($((SECONDS - started)) s)"
  else
    echo "FAILED ($((SECONDS - started)) s)"
    cat "$log/step"
    return 1
  fi
}

run "style, lint and types" scripts/lint.sh
run "ansible-test sanity" scripts/ansible_test.sh sanity
run "ansible-test units" scripts/ansible_test.sh units
run "the collection builds" ansible-galaxy collection build --force --output-path "$log"
run "Molecule scenario" molecule test -s default

echo "test: unit, scenario, interop and lab tests (about twenty minutes; the longest outlives two rekeys)"
rm -f .coverage .coverage.*
python -m pytest -n 3 -m "not rehearsal" --cov --cov-report= --durations=15 2>&1 | tee "$log/pytest"
coverage json -q -o "$log/coverage.json"
python scripts/coverage_gate.py "$log/coverage.json"

# By itself: it measures how fast these hosts are and how long they are silent.
if reason=$(scripts/can_rehearse.sh); then
  echo "test: rehearsal of Windows hosts under Wine (under ten minutes)"
  python -m pytest -m rehearsal --quiet tests/rehearsal 2>&1 | tee "$log/rehearsal"
else
  echo "test: the rehearsal of Windows hosts is NOT run: $reason"
fi
echo "test: all of it is green"
tail -qn 1 "$log/pytest" "$log/rehearsal" 2>/dev/null
