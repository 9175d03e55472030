#!/usr/bin/env bash
# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The life of one real Windows host as the only hub of a fleet: untouched, set up, unchanged, drifted, killed, badly
# configured, taken out of service. `ansible-test windows-integration windows_site` runs it; see docs/windows-support.md.
# It runs a copy of this folder alone, so that the collection's playbooks go by name.
set -euo pipefail
inventory=../../inventory.winrm
work=$(mktemp -d)
options=(-i "$inventory" -i fleet.yml -e "@../../integration_config.yml" -e "windows_site_work=$work" "$@")

play() { ansible-playbook "${options[@]}" "$@"; }

decommission() {
  hosts=$(ansible -i "$inventory" -i fleet.yml --list-hosts hubs | tail -n +2 | tr -d ' ' | paste -sd,)
  play wirefleet.wireguard.decommission -e "wirefleet_confirm_decommission=$hosts" "$@"
}

clean_up() {
  status=$?
  [ "$status" -eq 0 ] || decommission || true
  rm -rf "$work"
  exit "$status"
}
trap clean_up EXIT

changed_nothing() { # what the last run says of every host
  ! grep -E '^[^ ]+ +: ok=' "$1" | grep -vqE 'changed=0 .*failed=0'
}

echo "== an untouched host, in check mode"
play check_absent.yml
play wirefleet.wireguard.site --check --diff
play check_absent.yml

echo "== set up, and a second run that has nothing to do"
play wirefleet.wireguard.site --diff
play check_present.yml
play wirefleet.wireguard.site | tee "$work/second"
changed_nothing "$work/second"

echo "== drift is repaired"
play make_drift.yml
play wirefleet.wireguard.site --diff
play check_present.yml

echo "== the service comes back when it is killed"
play kill_service.yml

echo "== what nobody confirms is taken back"
play unconfirmed.yml

echo "== taken out of service, twice"
decommission --diff
play check_absent.yml
decommission | tee "$work/second"
changed_nothing "$work/second"
