# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site.yml over WinRM: on untouched hosts in check mode, for real, again; and who reaches whom afterwards."""

from __future__ import annotations

import pytest
from wirefleet_rehearsal.snapshot import difference
from wirefleet_rehearsal.topology import ALL_HOSTS, LINUX_HOSTS, WINDOWS_HOSTS

pytestmark = [pytest.mark.rehearsal, pytest.mark.slow]


def test_check_mode_on_untouched_hosts_works_and_changes_nothing(first_run):
    assert first_run.check.returncode == 0, first_run.check.tail
    assert all(recap.failed == 0 and recap.changed > 0 for recap in first_run.check.recap.values())
    for name in WINDOWS_HOSTS:
        assert difference(first_run.untouched[name], first_run.after_check[name]) == {}


def test_first_run_brings_up_every_host(first_run):
    assert first_run.run.returncode == 0, first_run.run.tail
    assert set(first_run.run.recap) == set(ALL_HOSTS)
    assert all(recap.failed == recap.unreachable == 0 for recap in first_run.run.recap.values())


def test_second_run_changes_nothing(fleet, report):
    run = fleet.play("site", "--diff")

    report.measured["site.yml again, s"] = round(run.duration_s, 1)
    assert run.returncode == 0, run.tail
    assert run.changed == {}


def test_everybody_reaches_everybody_through_the_tunnels_in_both_families(fleet):
    assert fleet.wait_until(lambda: fleet.unreachable_paths() == [], timeout_s=30)


def test_check_mode_on_converged_hosts_says_that_nothing_would_change(fleet):
    run = fleet.play("site", "--check", "--diff", "--limit", "hub-1,spoke-1,spoke-2")

    assert run.returncode == 0, run.tail
    assert run.changed == {}


def test_verify_finds_the_fleet_as_planned(fleet):
    run = fleet.play("verify")

    assert run.returncode == 0, run.tail
    assert run.changed == {}


def test_adapter_carries_the_name_of_its_tunnel_even_where_linux_could_not(fleet):
    links = fleet.linux("spoke-1", "ip", "link").stdout

    assert "alias 上海-01" in links


@pytest.mark.parametrize("host", WINDOWS_HOSTS)
def test_private_key_never_left_the_windows_host(fleet, host):
    run_outputs = "".join(run.output for run in fleet.runs)
    keys = [path.read_bytes() for path in fleet.root(host).rglob("*.key")]

    assert keys
    assert all(key.decode("latin-1") not in run_outputs for key in keys)
    assert not any(name in run_outputs for name in ("PrivateKey =", "private_key="))


def test_linux_host_and_windows_hosts_have_sessions_with_each_other(fleet):
    tunnel = fleet.tunnel(LINUX_HOSTS[0])

    handshakes = fleet.linux(LINUX_HOSTS[0], "wg", "show", tunnel, "latest-handshakes").stdout

    assert len(handshakes.splitlines()) == 3
    assert all(int(line.split()[1]) > 0 for line in handshakes.splitlines())
