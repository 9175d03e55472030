# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes of a running fleet: hosts come and go, sessions stay, bad changes heal."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.slow]


class Pings:
    """An uninterrupted series of pings while something else happens."""

    def __init__(self, fleet, source: str, address: str) -> None:
        command = [
            "nsenter",
            f"--net=/run/netns/{fleet.prefix}-{source}",
            "--",
            "ping",
            "-n",
            "-q",
            "-i",
            "0.1",
            address,
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def lost(self) -> int:
        """End the series; how many pings were not answered."""
        self._process.send_signal(2)
        output, _dummy = self._process.communicate(timeout=15)
        sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", output).groups())
        assert sent > 20
        return max(0, sent - received - 1)  # the last one may have been under way


def overlay_address(fleet, host: str) -> str:
    lock = json.loads((fleet.state / "wirefleet.lock.json").read_text(encoding="utf-8"))
    return next(address for address in lock["hosts"][host]["addresses"] if "." in address).partition("/")[0]


def peers_of(fleet, host: str) -> set[str]:
    return set(fleet.wg(host, "peers").split())


@pytest.mark.usefixtures("converged_afterwards")
def test_removed_host_disappears_and_returns_with_its_address_while_the_others_lose_nothing(fleet):
    removed_key, removed_address = fleet.public_key("spoke-3"), overlay_address(fleet, "spoke-3")
    counters_before = dict(line.split("\t", 1) for line in fleet.wg("hub-1", "transfer").splitlines())
    spoke_1 = fleet.public_key("spoke-1")
    pings = Pings(fleet, "spoke-1", overlay_address(fleet, "spoke-2"))

    limited = fleet.play("site", "--limit", "hub-1", inventory=fleet.inventory("spoke-3"))

    assert limited.returncode == 0, limited.output[-8000:]
    assert removed_key not in peers_of(fleet, "hub-1")
    assert removed_key in peers_of(fleet, "hub-2")
    assert re.search(r"WARNING.*not up to date[^\n]*hub-2", " ".join(limited.output.split())) is not None

    rest = fleet.play("site", inventory=fleet.inventory("spoke-3"))

    assert rest.returncode == 0, rest.output[-8000:]
    assert not any(removed_key in peers_of(fleet, host) for host in ("hub-1", "hub-2", "hub-3"))

    back = fleet.play("site")

    assert back.returncode == 0, back.output[-8000:]
    assert overlay_address(fleet, "spoke-3") == removed_address
    assert all(removed_key in peers_of(fleet, host) for host in ("hub-1", "hub-2", "hub-3"))
    assert pings.lost() == 0
    counters_after = dict(line.split("\t", 1) for line in fleet.wg("hub-1", "transfer").splitlines())
    assert int(counters_after[spoke_1].split()[0]) > int(counters_before[spoke_1].split()[0])
    # Nobody told spoke-3 that it was gone: it trusts its session until 15 s of unanswered packets make it start anew.
    assert fleet.wait_until(lambda: fleet.unreachable_paths() == [], timeout_s=90)


@pytest.mark.usefixtures("converged_afterwards")
def test_configuration_change_of_one_host_keeps_the_sessions_of_all(fleet):
    handshakes = fleet.wg("spoke-2", "latest-handshakes")
    pings = Pings(fleet, "spoke-2", overlay_address(fleet, "hub-3"))

    run = fleet.play("site", inventory=fleet.inventory(spoke_2={"wirefleet_keepalive": 20}))

    assert run.returncode == 0, run.output[-8000:]
    assert set(run.changed) <= {"spoke-2", "hub-1"}  # the plan itself is the first host's change
    assert "20" in fleet.wg("spoke-2", "persistent-keepalive").split()
    assert pings.lost() == 0
    newer = dict(line.split() for line in fleet.wg("spoke-2", "latest-handshakes").splitlines())
    assert all(int(newer[line.split()[0]]) >= int(line.split()[1]) for line in handshakes.splitlines())


def test_bad_change_that_nobody_confirms_is_taken_back(fleet):
    options = {"root": str(fleet.root("spoke-3")), "tunnel": f"{fleet.prefix}-spoke-3"}
    peers = peers_of(fleet, "spoke-3")

    run = fleet.module(
        "spoke-3",
        "agent_config",
        {**options, "conf": "[Interface]\nAddress = 10.86.0.99/32\nListenPort = 51999\n", "confirm_timeout_s": 3},
    )

    assert run.returncode == 0, run.output
    assert '"pending": true' in run.output
    assert fleet.wait_until(lambda: peers_of(fleet, "spoke-3") == peers, timeout_s=30)
    assert fleet.wg("spoke-3", "listen-port").strip() == "51820"
    health = fleet.module("spoke-3", "agent_health", {**options, "timeout_s": 40})
    assert health.returncode == 0, health.output
    assert fleet.play("site").changed == {}


def test_invalid_change_is_refused_and_names_the_line(fleet):
    options = {"root": str(fleet.root("spoke-3")), "tunnel": f"{fleet.prefix}-spoke-3"}
    files = fleet.agent_files()

    run = fleet.module("spoke-3", "agent_config", {**options, "conf": "[Interface]\nListenPort = 99999\n"})

    assert run.returncode != 0
    assert "invalid_config" in run.output
    assert "ListenPort" in run.output
    assert fleet.agent_files() == files


def test_decommission_without_naming_the_hosts_is_refused(fleet):
    for arguments in ((), ("-e", "wirefleet_confirm_decommission=spoke-3")):
        run = fleet.play("decommission", *arguments)

        assert run.returncode != 0
        assert "wirefleet_confirm_decommission=" in run.output
    assert fleet.unreachable_paths() == []


@pytest.mark.usefixtures("converged_afterwards")
def test_decommissioned_host_has_nothing_left(fleet):
    arguments = ("--limit", "spoke-3", "-e", "wirefleet_confirm_decommission=spoke-3")
    assert fleet.play("decommission", *arguments, "--check").returncode == 0
    assert peers_of(fleet, "spoke-3")

    run = fleet.play("decommission", *arguments)

    assert run.returncode == 0, run.output[-8000:]
    assert list(fleet.root("spoke-3").rglob("*")) == []
    assert fleet.inside("spoke-3", "ip", "link", "show", f"{fleet.prefix}-spoke-3").returncode != 0
    document = json.loads(fleet.lab("status", "--json").stdout)
    assert next(host for host in document["hosts"] if host["name"] == "spoke-3")["agent_pid"] is None
    again = fleet.play("decommission", *arguments)
    assert again.returncode == 0
    assert again.changed == {}
