# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site.yml on six hosts: from nothing, again, in check mode, and in part."""

from __future__ import annotations

import re

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.slow]

HOSTS = ("hub-1", "hub-2", "hub-3", "spoke-1", "spoke-2", "spoke-3")


def test_check_mode_on_an_untouched_lab_works_and_changes_nothing(first_run):
    assert first_run.check.returncode == 0, first_run.check.output[-8000:]
    assert all(recap.failed == 0 and recap.changed > 0 for recap in first_run.check.recap.values())
    assert set(first_run.files_after_check) == {
        path for path in first_run.files_after_check if path.endswith("lab.json")
    }


def test_first_run_reaches_every_host(first_run):
    assert first_run.run.returncode == 0, first_run.run.output[-8000:]
    assert set(first_run.run.recap) == set(HOSTS)
    assert all(recap.failed == recap.unreachable == 0 for recap in first_run.run.recap.values())


def test_everybody_reaches_everybody_in_both_families(fleet):
    assert fleet.unreachable_paths() == []


def test_second_run_changes_nothing(fleet):
    run = fleet.play("site", "--diff")

    assert run.returncode == 0, run.output[-8000:]
    assert run.changed == {}


def test_check_mode_on_a_converged_lab_works_and_changes_nothing(fleet):
    before = fleet.agent_files()

    run = fleet.play("site", "--check", "--diff")

    assert run.returncode == 0, run.output[-8000:]
    assert run.changed == {}
    assert fleet.agent_files() == before


def test_verify_and_plan_find_nothing_to_say(fleet):
    for playbook in ("verify", "plan"):
        run = fleet.play(playbook)

        assert run.returncode == 0, run.output[-8000:]
        assert run.changed == {}


@pytest.mark.parametrize("host", HOSTS)
def test_wg_shows_peers_handshakes_and_counters(fleet, host):
    peers = 5 if host.startswith("hub") else 3
    handshakes = fleet.wg(host, "latest-handshakes").split()[1::2]
    transfer = [int(count) for line in fleet.wg(host, "transfer").splitlines() for count in line.split()[1:]]

    assert len(handshakes) == peers
    assert all(int(stamp) > 0 for stamp in handshakes)
    assert len(transfer) == 2 * peers
    assert all(count > 0 for count in transfer)


def test_every_pair_has_a_preshared_key_of_its_own_and_both_ends_know_it(fleet):
    ends: dict[frozenset[str], list[str]] = {}
    for host in HOSTS:
        own = fleet.public_key(host)
        for line in fleet.wg(host, "preshared-keys").splitlines():
            peer, key = line.split()
            ends.setdefault(frozenset((own, peer)), []).append(key)

    assert len(ends) == 3 + 9
    assert all(len(keys) == 2 and keys[0] == keys[1] != "(none)" for keys in ends.values())
    assert len({keys[0] for keys in ends.values()}) == len(ends)


def test_limit_touches_the_named_host_alone(fleet):
    run = fleet.play("site", "--limit", "spoke-1")

    assert run.returncode == 0, run.output[-8000:]
    assert set(run.recap) == {"spoke-1"}
    assert run.changed == {}


def test_host_that_is_away_is_reported_and_the_others_go_on(fleet):
    inventory = fleet.inventory(spoke_2={"wirefleet_netns": f"{fleet.prefix}-away"})

    run = fleet.play("site", inventory=inventory)

    assert run.returncode != 0
    assert run.recap["spoke-2"].unreachable == 1
    assert "run playbooks/lab_up.yml" in run.output
    others = [recap for name, recap in run.recap.items() if name != "spoke-2"]
    assert all(recap.failed == recap.unreachable == recap.changed == 0 for recap in others), run.output[-8000:]


def test_diff_shows_what_changes_without_any_key(fleet):
    inventory = fleet.inventory(spoke_3={"wirefleet_keepalive": 21})

    run = fleet.play("site", "--check", "--diff", "--limit", "spoke-3", inventory=inventory)

    assert run.returncode == 0, run.output[-8000:]
    assert re.search(r"^\+PersistentKeepalive = 21$", run.output, re.MULTILINE)
    assert re.search(r"^-PersistentKeepalive = 25$", run.output, re.MULTILINE)
    secrets = fleet.wg("spoke-3", "preshared-keys").split()[1::2]
    assert not any(secret in run.output for secret in secrets)
