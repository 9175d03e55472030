# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Groups on the fast path: batches go to the active member and are taken from any, as packets one at a time are."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import pytest
from support.inner_packets import Headers
from support.net import Network, Node
from support.packets import ip_packet
from support.stars import BEHIND, BEHIND6, Relayed, Star
from support.super_packets import NEEDS_CSUM, Offload, cut_written
from wirefleet_agent.dataplane import Inbound, Outbound, packet_batch
from wirefleet_agent.drops import DropReason
from wirefleet_agent.wire.batch import Batch
from wirefleet_agent.wire.endpoint import Endpoint, LocalAddress

pytestmark = pytest.mark.usefixtures("arithmetic")
MTU = 1420
LOCAL = LocalAddress("192.0.2.1", 1)


class FastPath:
    """The data plane of one node."""

    def __init__(self, net: Network, node: Node, *, has_offloads: bool = False) -> None:
        self.net = net
        self.node = node
        self.has_offloads = has_offloads
        self.outbound = Outbound(node.device, MTU, has_offloads=has_offloads)
        self.inbound = Inbound(node.device, has_offloads=has_offloads)
        self.packets = packet_batch(64, MTU, has_offloads=has_offloads)

    def seal(self, *packets: bytes, offload: Offload | None = None) -> Iterator[list[tuple[Endpoint, bytes]]]:
        """What leaves, by batch: where to, and the datagram."""
        batch = self.packets
        batch.clear()
        for packet in packets:
            start = batch.count * batch.stride + batch.headroom
            batch.append(packet)
            if self.has_offloads:
                batch.buffer[start - 10 : start] = (offload or Offload()).pack()
        for sealed in self.outbound.process(batch, self.net.now):
            yield [(sealed.endpoints[i], bytes(sealed.slot(i))) for i in range(sealed.count)]  # type: ignore[misc]

    def destinations(self, *packets: bytes, offload: Offload | None = None) -> list[Endpoint]:
        return [endpoint for sealed in self.seal(*packets, offload=offload) for endpoint, _ in sealed]

    def open(self, datagrams: list[bytes], source: Endpoint) -> list[bytes]:
        batch = Batch(max(1, len(datagrams)), 65536)
        for datagram in datagrams:
            batch.append(datagram, source, LOCAL)
        return [
            piece
            for packet in self.inbound.process(batch, self.net.now)
            for piece in (cut_written(packet) if self.has_offloads else [bytes(packet)])  # type: ignore[arg-type]
        ]


@pytest.fixture
def star(net: Network) -> Star:
    return Star(net)


def to(star: Star, destination: str, count: int) -> list[bytes]:
    source = star.spoke.inner6 if ":" in destination else star.spoke.inner
    return [ip_packet(source, destination, bytes([number]) * 50) for number in range(count)]


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("destination", [BEHIND, BEHIND6])
@pytest.mark.parametrize("has_offloads", [False, True])
def test_batches_go_to_the_active_member(
    net: Network, star: Star, count: int, destination: str, has_offloads: bool
) -> None:
    path = FastPath(net, star.spoke, has_offloads=has_offloads)
    first, second, _ = star.hubs

    before = path.destinations(*to(star, destination, count))
    star.switch(second)
    after = path.destinations(*to(star, destination, count))

    assert before == [first.endpoint] * count
    assert after == [second.endpoint] * count


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("has_offloads", [False, True])
def test_a_hubs_own_address_is_reached_over_it_alone(net: Network, star: Star, count: int, has_offloads: bool) -> None:
    path = FastPath(net, star.spoke, has_offloads=has_offloads)
    first, second, third = star.hubs
    star.switch(second)

    assert path.destinations(*to(star, first.inner, count)) == [first.endpoint] * count
    assert path.destinations(*to(star, third.inner6, count)) == [third.endpoint] * count


def test_packets_of_one_batch_go_each_to_its_own_member(net: Network, star: Star) -> None:
    path = FastPath(net, star.spoke)
    first, second, third = star.hubs
    star.switch(second)
    packets = [packet for hub in (BEHIND, first.inner, BEHIND6, third.inner6) for packet in to(star, hub, 2)]

    assert path.destinations(*packets) == [hub.endpoint for hub in (second, first, second, third) for _ in range(2)]


def test_a_super_packet_goes_to_the_active_member_in_pieces(net: Network, star: Star) -> None:
    path = FastPath(net, star.spoke, has_offloads=True)
    packet = Headers(source=star.spoke.inner, destination=BEHIND).packet(bytes(10_000))
    star.switch(star.hubs[1])

    sent = path.destinations(packet, offload=Offload(NEEDS_CSUM, 1, 0, 1000, 20, 16))

    assert sent == [star.hubs[1].endpoint] * 10


def test_a_switch_between_two_batches_of_one_super_packet_loses_nothing(net: Network, star: Star) -> None:
    path = FastPath(net, star.spoke, has_offloads=True)
    packet = Headers(source=star.spoke.inner, destination=BEHIND).packet(bytes(600))
    paths = {hub.endpoint: FastPath(net, hub) for hub in star.hubs}

    sent = []
    for sealed in path.seal(packet, offload=Offload(NEEDS_CSUM, 1, 0, 2, 20, 16)):
        sent += sealed
        star.spoke.device.switch(star.group, star.keys[1], net.now)

    assert len(sent) == 300
    opened = [piece for endpoint, datagram in sent for piece in paths[endpoint].open([datagram], star.spoke.endpoint)]
    assert len(opened) == 300
    assert not star.spoke.drops


def test_a_member_whose_session_ends_in_the_middle_of_a_batch_loses_nothing(net: Network, star: Star) -> None:
    """The member that the batch was meant for went away: the core asks anew."""
    path = FastPath(net, star.spoke, has_offloads=True)
    first, second, _ = star.hubs
    packet = Headers(source=star.spoke.inner, destination=BEHIND).packet(bytes(600))

    sent = []
    for sealed in path.seal(packet, offload=Offload(NEEDS_CSUM, 1, 0, 2, 20, 16)):
        sent += [endpoint for endpoint, _ in sealed]
        star.spoke.device.switch(star.group, star.keys[1], net.now)
        star.spoke.peer(first).sessions.wipe()
    from_core = [output.endpoint for output in star.spoke.device.poll() if hasattr(output, "endpoint")]

    assert len(sent) + len(from_core) == 300
    assert set(from_core) == {second.endpoint}


@pytest.mark.parametrize("count", [1, 6])
@pytest.mark.parametrize("destination", [BEHIND, BEHIND6])
@pytest.mark.parametrize("has_offloads", [False, True])
def test_batches_are_taken_from_every_member(
    net: Network, star: Star, count: int, destination: str, has_offloads: bool
) -> None:
    path = FastPath(net, star.spoke, has_offloads=has_offloads)
    star.switch(star.hubs[2])

    for hub in star.hubs:
        source = star.spoke.inner6 if ":" in destination else star.spoke.inner
        packets = [ip_packet(destination, source, bytes([number]) * 50) for number in range(count)]
        sealed = [datagram for batch in FastPath(net, hub).seal(*packets) for _, datagram in batch]
        assert path.open(sealed, hub.endpoint) == packets
    assert not star.spoke.drops


@pytest.mark.parametrize("count", [1, 6])
@pytest.mark.parametrize("has_offloads", [False, True])
def test_a_batch_from_a_hub_in_the_name_of_another_is_dropped(
    net: Network, star: Star, count: int, has_offloads: bool
) -> None:
    path = FastPath(net, star.spoke, has_offloads=has_offloads)
    first, second, _ = star.hubs
    forged = [ip_packet(first.inner, star.spoke.inner, bytes([number]) * 50) for number in range(count)]
    good = ip_packet(BEHIND, star.spoke.inner, bytes(50))

    sealed = [datagram for batch in FastPath(net, second).seal(*forged, good) for _, datagram in batch]

    assert path.open(sealed, second.endpoint) == [good]
    assert star.spoke.drops == {DropReason.WRONG_SOURCE: count}


def test_a_super_packet_is_joined_from_the_packets_of_a_standby_member(net: Network, star: Star) -> None:
    path = FastPath(net, star.spoke, has_offloads=True)
    hub = FastPath(net, star.hubs[1], has_offloads=True)
    packet = Headers(source=BEHIND, destination=star.spoke.inner).packet(bytes(5000))
    sealed = [d for batch in hub.seal(packet, offload=Offload(NEEDS_CSUM, 1, 0, 1000, 20, 16)) for _, d in batch]
    batch = Batch(len(sealed), 65536)
    for datagram in sealed:
        batch.append(datagram, star.hubs[1].endpoint, LOCAL)

    (joined,) = path.inbound.process(batch, net.now)

    assert len(cut_written(joined)) == 5


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("elsewhere", ["10.86.7.7", "fd86::7:7"])
@pytest.mark.parametrize("has_offloads", [False, True])
def test_what_a_hub_sends_itself_goes_direct_in_every_batch(
    net: Network, count: int, elsewhere: str, has_offloads: bool
) -> None:
    relayed = Relayed(net)
    hub, spoke = relayed.hub, relayed.spoke
    path = FastPath(net, hub, has_offloads=has_offloads)
    own, inner = (hub.inner6, spoke.inner6) if ":" in elsewhere else (hub.inner, spoke.inner)
    hub.device.switch(relayed.group, relayed.other.public_key, net.now)

    forwarded = path.destinations(*[ip_packet(elsewhere, inner, b"x" * 20)] * count)
    mine = path.destinations(*[ip_packet(own, inner, b"x" * 20)] * count)

    assert forwarded == [relayed.other.endpoint] * count
    assert mine == [spoke.endpoint] * count
    assert ipaddress.ip_address(own).packed in hub.device.own_addresses
