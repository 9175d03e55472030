# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of the lab: each does what it says, nothing else, and is undone in any case."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "lab"))

from wirefleet_lab import faults, lifecycle  # noqa: E402
from wirefleet_lab.machine import in_namespace  # noqa: E402
from wirefleet_lab.topology import Lab, LabError  # noqa: E402

pytestmark = pytest.mark.lab
HUB_1, HUB_2, SPOKE_1 = ("192.0.2.2", "2001:db8:1:1::2"), ("198.51.100.2", "2001:db8:2:1::2"), "spoke-1"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Namespaces alone, without agents: faults are of the underlay."""
    lab = Lab(f"wf-f-{os.getpid() % 256:02x}", tmp_path_factory.mktemp("lab"))
    lifecycle.up(lab, {})
    yield lab
    lifecycle.down(lab)


def ping(lab, source, address):
    """Fastest of three in milliseconds, None without an answer; and what was said."""
    command = in_namespace(lab.namespace(source), ["ping", "-n", "-c", "3", "-i", "0.05", "-W", "1", address])
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    found = re.search(r"^rtt [a-z/]+ = ([0-9.]+)/", done.stdout, re.MULTILINE)
    return float(found[1]) if found else None, done.stdout


def received(lab, source, address, at):
    """How many of five UDP datagrams reached the host."""
    receiver = in_namespace(lab.namespace(at), [sys.executable, "-c", RECEIVE])
    with subprocess.Popen(receiver, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        subprocess.run(in_namespace(lab.namespace(source), [sys.executable, "-c", SEND, address]), check=True)
        return int(process.communicate(timeout=20)[0])


SEND = """
import socket, sys
with socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM) as udp:
    for _ in range(5):
        udp.sendto(b"x", (sys.argv[1], 7001))
"""
RECEIVE = """
import socket
with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp:
    udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    udp.bind(("::", 7001))
    udp.settimeout(0.7)
    print("ready", flush=True)
    count = 0
    try:
        while udp.recv(10):
            count += 1
    except TimeoutError:
        print(count)
"""


def rules(lab):
    """Rules of the router beyond the kernel's own."""
    router = lab.namespace("underlay")
    said = [
        subprocess.run(["ip", "-n", router, family, "rule"], capture_output=True, text=True, check=True).stdout
        for family in ("-4", "-6")
    ]
    return [line for line in "".join(said).splitlines() if line.startswith("64")]


@pytest.mark.parametrize("address", HUB_1)
def test_a_blackhole_drops_both_ways_and_tells_nobody(lab, address):
    with faults.held(lab, "blackhole", "hub-1"):
        latency_ms, said = ping(lab, SPOKE_1, address)
        assert latency_ms is None
        assert "unreachable" not in said.lower()
        assert received(lab, SPOKE_1, address, "hub-1") == 0
        assert ping(lab, SPOKE_1, HUB_2[0])[0] is not None

    assert ping(lab, SPOKE_1, address)[0] is not None
    assert rules(lab) == []


@pytest.mark.parametrize("family", [0, 1])
def test_one_way_loss_is_one_way(lab, family):
    spoke = ("192.0.2.6", "2001:db8:1:2::2")[family]
    with faults.held(lab, "one-way-in", "hub-1"):
        there_in, back_in = received(lab, SPOKE_1, HUB_1[family], "hub-1"), received(lab, "hub-1", spoke, SPOKE_1)
    with faults.held(lab, "one-way-out", "hub-1"):
        there_out, back_out = received(lab, SPOKE_1, HUB_1[family], "hub-1"), received(lab, "hub-1", spoke, SPOKE_1)

    assert (there_in, back_in) == (0, 5)
    assert (there_out, back_out) == (5, 0)
    assert rules(lab) == []


@pytest.mark.parametrize("address", HUB_1)
def test_a_slow_link_takes_as_much_longer_each_way_and_loses_nothing(lab, address):
    with faults.held(lab, "slow", "hub-1", delay_ms=120):
        slow_ms, other_ms = ping(lab, SPOKE_1, address)[0], ping(lab, SPOKE_1, HUB_2[0])[0]
        count = received(lab, SPOKE_1, address, "hub-1")

    assert 240 <= slow_ms < 400
    assert other_ms < 100
    assert count == 5
    assert ping(lab, SPOKE_1, address)[0] < 100
    assert rules(lab) == []


def test_a_slow_link_whose_reader_dies_is_as_fast_as_before(lab):
    with faults.held(lab, "slow", "hub-1", delay_ms=300):
        (pid,) = [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and b"delay.py\0d-hub-1" in command_line(entry)
        ]
        os.kill(pid, signal.SIGKILL)

        assert ping(lab, SPOKE_1, HUB_1[0])[0] < 100


def command_line(entry):
    with contextlib.suppress(OSError):
        return (entry / "cmdline").read_bytes()
    return b""


def test_faults_of_different_hosts_do_not_meet(lab):
    with faults.held(lab, "blackhole", "hub-1"), faults.held(lab, "one-way-in", "hub-2"):
        assert ping(lab, SPOKE_1, HUB_1[0])[0] is None
        assert received(lab, SPOKE_1, HUB_2[0], "hub-2") == 0
        assert ping(lab, SPOKE_1, "203.0.113.2")[0] is not None


def command(lab, *arguments):
    program = [sys.executable, str(CHECKOUT / "lab" / "lab.py"), "--json", "--prefix", lab.prefix]
    return [*program, "--state", str(lab.state), *arguments]


@pytest.mark.parametrize("how", ["eof", "terminated", "over"])
def test_the_command_undoes_its_fault_however_it_ends(lab, how):
    seconds = "0.5" if how == "over" else "60"
    arguments = command(lab, "fault", "blackhole", "hub-1", "--seconds", seconds, "--until-eof")
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert json.loads(process.stdout.readline()) == {"begun": "blackhole", "host": "hub-1"}
        broken = rules(lab)
        if how == "eof":
            process.stdin.close()
        elif how == "terminated":
            process.terminate()
        process.wait(20)

    assert len(broken) == 4
    assert rules(lab) == []


def test_what_a_killed_command_left_behind_is_repaired(lab):
    arguments = command(lab, "fault", "one-way-out", "hub-3", "--seconds", "60")
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.kill()
    assert rules(lab) != []

    replies = [
        json.loads(subprocess.run(command(lab, "repair"), capture_output=True, text=True, check=True).stdout)
        for _dummy in range(2)
    ]

    assert replies == [{"changed": True, "repaired": ["hub-3"]}, {"changed": False, "repaired": []}]
    assert rules(lab) == []


def test_what_cannot_be_broken_is_refused_and_leaves_nothing(lab):
    for kind, host, delay_ms in (("kill", "hub-1", 1), ("blackhole", "hub-9", 1), ("slow", "hub-1", 0)):
        with pytest.raises(LabError), faults.held(lab, kind, host, delay_ms=delay_ms):
            pass

    assert rules(lab) == []
