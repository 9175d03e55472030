# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Super-packets on their way: from LAN to LAN through two tunnel hosts, over a hub, over links that harm."""

from __future__ import annotations

import json
import os

import pytest
from support.netns import Lab, Namespace
from support.topologies import bad_link_pair
from support.traffic import Transfer, ask_udp_echo, udp_echo
from support.wireguard import OURS, THEIRS, TunnelEnd, join
from wirefleet_agent.host.offload_switch import uses_offloads

pytestmark = pytest.mark.netns

ODD_SIZES = (0, 1, 2, 3, 13, 1371, 1372, 1373, 1391, 1393, 1471, 1473, 2801, 8999, 32767, 65001)
MTU = 1420
TRANSFER_BYTES = 12 << 20
PAIRS = pytest.mark.parametrize(
    ("left", "right"), [(OURS, OURS), (OURS, THEIRS), (THEIRS, OURS)], ids=["ours-ours", "ours-go", "go-ours"]
)


def forward(namespace: Namespace) -> None:
    namespace.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")


def mean_bytes(end: TunnelEnd, direction: str) -> float:
    """Of what went through the interface so far: in steps of one packet or one super-packet."""
    (link,) = json.loads(end.namespace.run("ip", "-j", "-s", "link", "show", end.name).stdout)
    counters = link["stats64"][direction]
    return float(counters["bytes"] / counters["packets"])


def assert_joined(end: TunnelEnd, direction: str, *, packets: int) -> None:
    """More than so many packets at once on average; never more than one where the whole suite runs without offloads."""
    mean = mean_bytes(end, direction)
    if uses_offloads(os.environ):
        assert mean > packets * MTU, f"no super-packets: {direction}"
    else:
        assert mean <= MTU, f"super-packets in spite of the switch: {direction}"


def transfers(pairs: list[tuple[Namespace, Namespace, str]], lab: Lab, size: int = TRANSFER_BYTES) -> None:
    """All at once; each (sender, receiver, its address)."""
    running = [
        Transfer(sender, receiver, address, lab.directory, size=size, port=7100 + number)
        for number, (sender, receiver, address) in enumerate(pairs)
    ]
    for transfer in running:
        transfer.assert_unharmed()


class Site:
    """A LAN with one host, behind a tunnel end that forwards."""

    def __init__(self, lab: Lab, number: int, implementation: str) -> None:
        self.host, self.gateway = lab.namespace(f"host{number}"), lab.namespace(f"gate{number}")
        self.addresses = f"10.51.{number}.2", f"fd51:{number}::2"
        self.prefixes = f"10.51.{number}.0/24", f"fd51:{number}::/64"
        lab.link(
            self.host,
            self.gateway,
            f"{self.addresses[0]}/24 {self.addresses[1]}/64",
            f"10.51.{number}.1/24 fd51:{number}::1/64",
        )
        for family, gateway in (("-4", f"10.51.{number}.1"), ("-6", f"fd51:{number}::1")):
            self.host.run("ip", family, "route", "add", "default", "via", gateway)
        forward(self.gateway)
        self.end = TunnelEnd(
            lab, self.gateway, implementation, f"192.0.2.{number}", f"10.9.0.{number}/24 fd09::{number}/64"
        )

    def reach(self, other: Site) -> None:
        self.end.add_peer(other.end, allowed_ips=",".join((other.end.host_prefixes, *other.prefixes)))
        for prefix in other.prefixes:
            self.gateway.run("ip", "route", "add", prefix, "dev", self.end.name)


def joined_sites(lab: Lab, left: str, right: str) -> tuple[Site, Site]:
    one, two = Site(lab, 1, left), Site(lab, 2, right)
    lab.link(one.gateway, two.gateway, "192.0.2.1/24", "192.0.2.2/24")
    for site in (one, two):
        site.end.start()
        site.end.up()
    one.reach(two)
    two.reach(one)
    one.end.ping(two.end.addresses[0])
    for site, other in ((one, two), (two, one)):  # learn the tunnel's MTU, which costs the first packet
        for address in other.addresses:
            site.host.run("ping", "-c1", "-W1", "-M", "do", "-s", "1440", address, check=False)
    return one, two


@PAIRS
def test_files_and_datagrams_pass_from_lan_to_lan(lab: Lab, left: str, right: str) -> None:
    """Forwarded, not made here; the MTU of the LANs is greater than the tunnel's."""
    one, two = joined_sites(lab, left, right)

    transfers([(one.host, two.host, two.addresses[0])], lab, 24 << 20)

    for site, direction in ((one, "tx"), (two, "rx")):
        if site.end.implementation == OURS:
            assert_joined(site.end, direction, packets=2)
    transfers([(two.host, one.host, one.addresses[1])], lab)
    transfers(
        [
            (one.host, two.host, two.addresses[0]),
            (one.host, two.host, two.addresses[1]),
            (two.host, one.host, one.addresses[0]),
            (two.host, one.host, one.addresses[1]),
        ],
        lab,
    )
    for version, address in enumerate(two.addresses):
        udp_echo(two.host, address)
        ask_udp_echo(one.host, address, (*ODD_SIZES, 65507 - 20 * version))


_UDP_FLOOD = """
import hashlib, os, socket, struct, sys
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
sock = socket.socket(family, socket.SOCK_DGRAM)
sock.settimeout(10)
sock.connect((sys.argv[1], 7200))
for size, count, last in ((1200, 40, 1), (1371, 47, 1370), (33, 64, 33), (1, 64, 1), (1001, 3, 7)):
    data = os.urandom(size * (count - 1) + last)
    sock.sendmsg([data], [(17, 103, struct.pack('=H', size))])
    wanted = [data[begin:begin + size] for begin in range(0, len(data), size)]
    got = [sock.recv(65535) for _ in wanted]
    assert got == wanted, (size, count, last)
"""


@PAIRS
def test_trains_of_udp_pass_from_lan_to_lan_in_order(lab: Lab, left: str, right: str) -> None:
    """An application that lets its host cut (as QUIC does) sends super-packets of UDP through the gateway."""
    one, two = joined_sites(lab, left, right)

    for address in two.addresses:
        udp_echo(two.host, address)
        one.host.run("python3", "-c", _UDP_FLOOD, address)


@pytest.mark.parametrize("spoke", [OURS, THEIRS], ids=["ours", "go"])
def test_a_hub_passes_files_and_datagrams_from_spoke_to_spoke(lab: Lab, spoke: str) -> None:
    """What the hub joins for its host comes back from it in one piece, and is cut again."""
    hub_namespace = lab.namespace("hub")
    hub = TunnelEnd(lab, hub_namespace, OURS, "192.0.2.1", "10.9.0.1/24 fd09::1/64")
    spokes = []
    for number, network in ((2, "192.0.2"), (3, "198.51.100")):
        namespace = lab.namespace(f"spoke{number}")
        lab.link(hub_namespace, namespace, f"{network}.1/24", f"{network}.{number}/24")
        spokes.append(TunnelEnd(lab, namespace, spoke, f"{network}.{number}", f"10.9.0.{number}/24 fd09::{number}/64"))
    forward(hub_namespace)
    for end in (hub, *spokes):
        end.start()
        end.up()
    for end, network in zip(spokes, ("192.0.2", "198.51.100"), strict=True):
        hub.add_peer(end)
        prefixes = "10.9.0.0/24,fd09::/64"
        end.add_peer(hub, "endpoint", f"{network}.1:{hub.port}", allowed_ips=prefixes, knows_endpoint=False)
        end.ping(hub.addresses[0])
    one, two = spokes

    transfers([(one.namespace, two.namespace, two.addresses[0])], lab, 24 << 20)
    if spoke == OURS:
        assert_joined(hub, "rx", packets=1)
        assert_joined(hub, "tx", packets=1)
        assert_joined(two, "rx", packets=2)
    transfers(
        [
            (one.namespace, two.namespace, two.addresses[0]),
            (one.namespace, two.namespace, two.addresses[1]),
            (two.namespace, one.namespace, one.addresses[0]),
            (two.namespace, one.namespace, one.addresses[1]),
        ],
        lab,
        8 << 20,
    )
    for version, address in enumerate(two.addresses):
        udp_echo(two.namespace, address)
        ask_udp_echo(one.namespace, address, (*ODD_SIZES, 65507 - 20 * version))


@PAIRS
def test_files_arrive_unharmed_both_ways_over_a_link_that_loses_doubles_and_reorders(
    lab: Lab, left: str, right: str
) -> None:  # checklist 27
    one, two, relay = bad_link_pair(lab, left, right, lost=0.004, doubled=0.02, late=0.08, late_ms=4)

    transfers(
        [
            (one.namespace, two.namespace, two.addresses[0]),
            (two.namespace, one.namespace, one.addresses[0]),
            (one.namespace, two.namespace, two.addresses[1]),
            (two.namespace, one.namespace, one.addresses[1]),
        ],
        lab,
        4 << 20,
    )

    relay.stop()
    for harm in ("lost", "doubled", "late"):
        assert f"'{harm}'" in relay.output, relay.output


@pytest.mark.parametrize("is_off", [(True, False), (False, True), (True, True)], ids=["left", "right", "both"])
def test_ends_without_offloads_understand_ends_with_them(
    lab: Lab, is_off: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    namespaces = lab.namespace("left"), lab.namespace("right")
    lab.link(*namespaces, "192.0.2.1/24", "192.0.2.2/24")
    ends = []
    for number, (namespace, off) in enumerate(zip(namespaces, is_off, strict=True), 1):
        end = TunnelEnd(lab, namespace, OURS, f"192.0.2.{number}", f"10.9.0.{number}/24 fd09::{number}/64")
        monkeypatch.setenv("WIREFLEET_OFFLOADS", "off" if off else "auto")
        end.start()
        ends.append(end)
    one, two = ends
    one.add_peer(two)
    two.add_peer(one)
    for end in ends:
        end.up()

    transfers([(one.namespace, two.namespace, two.addresses[0]), (two.namespace, one.namespace, one.addresses[1])], lab)

    for end, off in zip(ends, is_off, strict=True):
        for direction in ("tx", "rx"):
            assert (mean_bytes(end, direction) > MTU) == (not off), (off, direction)


def test_a_small_underlay_mtu_costs_trains_but_no_data(lab: Lab) -> None:
    """Datagrams of a full tunnel packet do not fit: they leave in fragments, one by one."""
    namespaces = lab.namespace("left"), lab.namespace("right")
    names = lab.link(*namespaces, "192.0.2.1/24", "192.0.2.2/24")
    for namespace, name in zip(namespaces, names, strict=True):
        namespace.run("ip", "link", "set", name, "mtu", "1300")
    one, two = (
        TunnelEnd(lab, namespace, OURS, f"192.0.2.{number}", f"10.9.0.{number}/24 fd09::{number}/64")
        for number, namespace in enumerate(namespaces, 1)
    )
    join(one, two)

    transfers(
        [(one.namespace, two.namespace, two.addresses[0]), (two.namespace, one.namespace, one.addresses[1])],
        lab,
        4 << 20,
    )
