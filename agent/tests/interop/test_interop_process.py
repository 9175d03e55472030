# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The process: how it starts, what it refuses, what it leaves behind, and what it costs when nothing happens."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest
from support.netns import Lab, Process, run, wait_until
from support.topologies import state_of
from support.traffic import PingStream
from support.wireguard import OURS, THEIRS, TunnelEnd, program

pytestmark = pytest.mark.netns

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@pytest.fixture
def end(lab: Lab) -> TunnelEnd:
    return TunnelEnd(lab, lab.namespace("one"), OURS, "192.0.2.1", "10.9.0.1/24 fd09::1/64")


def start_in_foreground(end: TunnelEnd, **env: str) -> Process:
    process = end.namespace.start(program(OURS), "-f", end.name, env=env)
    wait_until(lambda: end.socket.exists() or not process.is_running, "the socket")
    assert process.is_running, process.output
    return process


def resident_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def cpu_s(pid: int) -> float:
    """User and system time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_under_load_leaves_nothing_behind(make_pair, signum: signal.Signals) -> None:
    one, two = make_pair(OURS, THEIRS, joined=False)
    before = state_of(one.namespace)
    process = start_in_foreground(one)
    one.configure(f"[Interface]\nPrivateKey = {one.private_key}\nListenPort = {one.port}\n")
    for cidr in one.overlay.split():
        one.namespace.run("ip", "address", "add", cidr, "dev", one.name)
    one.up()
    two.start()
    two.up()
    two.add_peer(one)
    one.add_peer(two)
    stream = PingStream(two.namespace, one.addresses[0])
    stream.wait_for_replies(20)

    process.signal(signum)

    assert process.wait(10) == 0
    one.wait_gone()
    assert state_of(one.namespace) == before


def test_the_foreground_process_ends_with_its_interface(end: TunnelEnd) -> None:
    process = start_in_foreground(end)

    end.namespace.run("ip", "link", "delete", end.name)

    assert process.wait(10) == 0
    end.wait_gone()


def test_a_second_start_of_the_same_interface_fails_and_harms_nothing(end: TunnelEnd) -> None:
    end.start()

    for arguments in ((end.name,), ("-f", end.name)):
        second = end.namespace.run(program(OURS), *arguments, check=False)

        assert second.returncode == 1
        assert end.name in second.stderr
        assert "busy" in second.stderr.lower() or "in use" in second.stderr
        assert "Traceback" not in second.stderr
    assert end.wg("show", end.name, "public-key").strip() == end.public_key
    assert len(end.namespace.processes()) == 1


def test_without_the_right_to_make_interfaces_the_error_names_it(end: TunnelEnd) -> None:
    unprivileged = ("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin")

    refused = end.namespace.run(*unprivileged, program(OURS), end.name, check=False)

    assert refused.returncode == 1
    assert "Operation not permitted" in refused.stderr
    assert "CAP_NET_ADMIN" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not end.socket.exists()
    assert end.namespace.processes() == []


@pytest.mark.parametrize(
    ("level", "is_heard"), [("verbose", True), ("error", False), ("silent", False), ("nonsense", False)]
)
def test_the_log_level_is_honoured_and_no_secret_is_logged(make_pair, level: str, is_heard: bool) -> None:
    one, two = make_pair(OURS, THEIRS, joined=False)
    one.log_level = level
    psk = run("wg", "genpsk").stdout.strip()
    for end, other in ((one, two), (two, one)):
        end.start()
        end.up()
        end.add_peer(other)
        end.wg("set", end.name, "peer", other.public_key, "preshared-key", "/dev/stdin", text=psk)
    one.ping(two.addresses[0])

    one.socket.unlink()
    one.wait_gone()

    log = one.lab.log_of(one.name)
    assert ("tunnel_up" in log) is is_heard
    assert ("handshake_completed" in log) is is_heard
    for secret in (one.private_key, psk):
        assert secret not in log
        assert secret[:16] not in log


def test_nothing_to_do_costs_no_processor_time(make_pair) -> None:
    one, two = make_pair(OURS, OURS)
    one.ping(two.addresses[0])
    down = TunnelEnd(one.lab, one.lab.namespace("down"), OURS, "192.0.2.1", "10.9.0.1/24")
    down.start()
    ends = {"with a session": one, "its peer": two, "down": down}
    pids = {label: end.namespace.processes()[0] for label, end in ends.items()}
    clock = PingStream(down.namespace, "127.0.0.1", 0.5)
    clock.wait_for_replies(2)
    before = {label: cpu_s(pid) for label, pid in pids.items()}

    clock.wait_for_replies(7)

    assert {label: cpu_s(pid) - before[label] for label, pid in pids.items() if cpu_s(pid) - before[label] > 0.06} == {}


_CYCLES = """
for i in $(seq 1 {cycles}); do
    wg set {name} peer {other} endpoint 192.0.2.2:9 persistent-keepalive 1 allowed-ips 10.99.0.0/16,fd99::/32 || exit 1
    wg set {name} peer {other} remove || exit 1
done
"""


def test_peers_that_come_and_go_leave_no_descriptor_memory_or_thread(make_pair) -> None:
    one, two = make_pair(OURS, THEIRS)
    one.ping(two.addresses[0])
    other = run("wg", "pubkey", text=run("wg", "genkey").stdout).stdout.strip()
    (pid,) = one.namespace.processes()
    churn = _CYCLES.format(name=one.name, other=other, cycles=200)
    one.namespace.run("sh", "-c", churn)  # allocator and caches get their size
    before = descriptors(pid), threads(pid)
    before_kb = resident_kb(pid)

    one.namespace.run("sh", "-c", churn)

    # A client that has just gone may still be counted, before as well as now.
    wait_until(lambda: descriptors(pid) <= before[0], f"no more than {before[0]} descriptors", 5)
    assert threads(pid) == before[1]
    assert resident_kb(pid) - before_kb < 1024
    assert list(one.show("peers")) == [two.public_key]
    one.ping(two.addresses[0])


def test_ports_that_change_and_clients_that_hang_up_leave_no_descriptor(make_pair) -> None:
    one, two = make_pair(OURS, THEIRS)
    one.ping(two.addresses[0])
    (pid,) = one.namespace.processes()
    before = descriptors(pid)

    for number in range(40):
        one.wg("set", one.name, "listen-port", str(42000 + number % 2), "fwmark", str(number))
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(one.socket))
            client.sendall(b"set=1\nprivate_key=" if number % 2 else b"get=1\n")

    wait_until(lambda: descriptors(pid) == before, "all descriptors are closed")
    one.wg("set", one.name, "fwmark", "off")
    one.ping(two.addresses[0])
