# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Which changes of a real kernel's routes and addresses make the agent forget sources, and which do not."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest
from support.netns import Namespace, can_make_namespaces, single_namespace, wait_until
from wirefleet_agent.drivers.monitor_linux import LinuxUnderlayMonitor, moves_packets

pytestmark = pytest.mark.netns
needs_root = pytest.mark.skipif(not can_make_namespaces(), reason="needs root")

QUIET_S = 0.3
SETUP = (
    "tuntap add wft0 mode tun",
    "link add eth0 type veth peer name wire",
    "link set lo up",
    "link set wire addrgenmode none",
    "link set eth0 addrgenmode none",
    "link set wire up",
    "link set eth0 up",
    "address add 192.0.2.1/24 dev eth0",
    "address add 2001:db8::1/64 dev eth0 nodad",
)


@pytest.fixture
def host() -> Iterator[Namespace]:
    """``eth0`` with addresses, and ``wft0``, which stands for the tunnel."""
    with single_namespace("monitor") as made:
        for command in SETUP:
            made.run("ip", *command.split())
        yield made


@pytest.fixture
def monitor(host: Namespace) -> Iterator[LinuxUnderlayMonitor]:
    with contextlib.closing(host.call(lambda: LinuxUnderlayMonitor("wft0"))) as made:
        hears(host, made)
        yield made


def hears(host: Namespace, monitor: LinuxUnderlayMonitor, *commands: str) -> bool:
    """Whether a change is told within a moment."""
    for command in commands:
        host.run("ip", *command.split())
    deadline = time.monotonic() + QUIET_S
    has_changed = False
    while time.monotonic() < deadline:
        has_changed |= monitor.has_changed()
        time.sleep(0.01)
    return has_changed


@needs_root
@pytest.mark.parametrize(
    "command",
    [
        "address delete 192.0.2.1/24 dev eth0",
        "address delete 2001:db8::1/64 dev eth0",
        "route add 203.0.113.0/24 via 192.0.2.2",
        "route add default via 2001:db8::2",
        "route add blackhole 203.0.113.0/24",
        "route delete 192.0.2.0/24 dev eth0",
        "route add 203.0.113.0/24 via 192.0.2.2 table 77",
        "link set eth0 down",
        "link delete eth0",
    ],
)
def test_what_may_move_packets_is_heard(host: Namespace, monitor: LinuxUnderlayMonitor, command: str) -> None:
    assert hears(host, monitor, command)


@needs_root
def test_a_link_with_ipv4_only_that_is_set_down_is_heard(host: Namespace, monitor: LinuxUnderlayMonitor) -> None:
    host.run("sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=1")
    hears(host, monitor)

    assert hears(host, monitor, "link set eth0 down")


@needs_root
@pytest.mark.parametrize(
    "commands",
    [
        ("address add 192.0.2.9/32 dev eth0",),
        (
            "address add 2001:db8::9/128 dev eth0 nodad",
            "address change 192.0.2.1/24 dev eth0 valid_lft 900 preferred_lft 600",
        ),
        ("link set wft0 up", "address add 10.99.0.1/32 dev wft0", "route add 10.99.0.0/16 dev wft0"),
        ("link set wft0 up", "address add fd99::1/128 dev wft0 nodad", "route add default dev wft0 table 51820"),
        ("link set wft0 up", "address add 10.99.0.1/24 dev wft0", "link set wft0 down", "link delete wft0"),
        ("link add box0 type veth peer name box1", "link set box0 up", "link set box1 up"),
    ],
    ids=["new address", "renewed address", "tunnel", "tunnel as default", "tunnel goes", "container"],
)
def test_what_moves_no_packet_is_not_heard(
    host: Namespace, monitor: LinuxUnderlayMonitor, commands: tuple[str, ...]
) -> None:
    assert not hears(host, monitor, *commands)


@needs_root
def test_an_address_of_the_links_own_making_is_not_heard(host: Namespace, monitor: LinuxUnderlayMonitor) -> None:
    host.run("ip", "link", "add", "box0", "type", "veth", "peer", "name", "box1")
    host.run("ip", "link", "set", "box0", "up")
    host.run("ip", "link", "set", "box1", "up")

    def has_address() -> bool:
        assert not monitor.has_changed()
        shown = host.run("ip", "-6", "address", "show", "dev", "box0").stdout
        return "fe80" in shown and "tentative" not in shown

    wait_until(has_address, "a link-local address")

    assert not hears(host, monitor)


@needs_root
def test_more_messages_than_the_kernel_keeps_count_as_a_change(host: Namespace, monitor: LinuxUnderlayMonitor) -> None:
    batch = "".join(f"address add 10.{i >> 8}.{i & 255}.1/32 dev eth0\n" for i in range(4000))
    host.run("ip", "-batch", "-", text=batch)

    assert monitor.has_changed()


@pytest.mark.parametrize("cut", range(60))
def test_messages_cut_short_are_no_change_and_no_error(cut: int) -> None:
    header = (36 + 24).to_bytes(4, "little") + (21).to_bytes(2, "little") + bytes(10)

    assert moves_packets(header + bytes(44), 1)
    assert not moves_packets((header + bytes(44))[:cut], 1)
