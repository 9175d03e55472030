# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong by itself: power, crashes, load; and what must not go wrong while somebody works on a host."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest
from wirefleet_lab.machine import in_namespace
from wirefleet_rehearsal import lifecycle

pytestmark = [pytest.mark.rehearsal, pytest.mark.slow]

MINIMUM_MBIT_S = 100


def _tcp_mbit_s(fleet, source: str, target: str) -> float:
    """What one TCP connection carries through the tunnel in eight seconds."""
    address = fleet.overlay(target)
    server = subprocess.Popen(
        in_namespace(fleet.rehearsal.namespace(target), ["iperf3", "--server", "--one-off", "--bind", address]),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert fleet.wait_until(lambda: "5201" in fleet.linux(target, "ss", "-ltn").stdout, timeout_s=10)
        client = fleet.linux(source, "iperf3", "--client", address, "--time", "8", "--omit", "1", "--json")
    finally:
        server.terminate()
        server.wait()
    return json.loads(client.stdout)["end"]["sum_received"]["bits_per_second"] / 1e6


def test_two_wine_hosts_carry_a_hundred_megabits_of_tcp(fleet, report):
    series = []
    while len(series) < 3 and max(series, default=0) < MINIMUM_MBIT_S:  # what else the machine does only lowers it
        series.append(round(_tcp_mbit_s(fleet, "spoke-1", "hub-1")))

    report.measured["TCP spoke-1 to hub-1 through the tunnel, Mbit/s"] = ", ".join(map(str, series))
    assert max(series) >= MINIMUM_MBIT_S


def test_killed_service_comes_back_and_its_sessions_recover(fleet):
    before = fleet.service_pids("hub-2")
    assert before

    for pid in before:
        os.kill(pid, signal.SIGKILL)

    assert fleet.wait_until(lambda: bool(set(fleet.service_pids("hub-2")) - set(before)), timeout_s=60)
    assert fleet.wait_until(lambda: fleet.ping("spoke-1", fleet.overlay("hub-2")), timeout_s=60)
    assert fleet.wait_until(lambda: fleet.unreachable_paths() == [], timeout_s=60)


def test_power_cut_of_a_hub_leaves_the_others_alone_and_the_hub_comes_back_by_booting(fleet, report):
    with fleet.pings("hub-3", "hub-2") as between_hubs, fleet.pings("spoke-2", "hub-2") as from_spoke:
        lifecycle.power_cut(fleet.rehearsal, "hub-1")
        assert not fleet.ping("hub-3", fleet.overlay("hub-1"))
        lifecycle.power_on(fleet.rehearsal, "hub-1")
        is_back = fleet.wait_until(lambda: fleet.ping("hub-3", fleet.overlay("hub-1")), timeout_s=120)

    sent, lost = between_hubs.sent + from_spoke.sent, between_hubs.lost + from_spoke.lost
    report.measured["pings between others during a hub's power cut"] = f"{sent} sent, {lost} lost"
    assert is_back
    assert lost == 0
    assert fleet.wait_until(lambda: fleet.unreachable_paths() == [], timeout_s=60)


def test_no_ping_is_lost_between_two_hosts_while_another_is_changed(fleet, report):
    """And the hosts that scenarios before this one cut off, killed or misled are found as they should be."""
    with fleet.pings("spoke-1", "hub-1") as pings:
        run = fleet.play("site", inventory=fleet.inventory(hub_3={"wirefleet_keepalive": 20}))

    report.measured["pings while another host was changed"] = f"{pings.sent} sent, {pings.lost} lost"
    assert run.returncode == 0, run.tail
    assert run.changed["hub-3"]
    assert run.changed.get("hub-1", 0) <= 1  # it is where the plan is made
    assert "hub-2" not in run.changed  # a spoke may be: it is brought home to a hub that was away
    assert pings.sent > 50
    assert pings.lost == 0
