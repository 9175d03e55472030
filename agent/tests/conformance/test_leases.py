# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The fast path is the slow path with the AEAD elsewhere: both leave a device in exactly the same state."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.net import Network
from support.node import Node
from support.packets import ip_packet
from support.snapshot import snapshot
from support.stranger import Stranger
from wirefleet_agent.core import DeliverPacket, Output, SendDatagram
from wirefleet_agent.drops import DropReason
from wirefleet_agent.wire import Endpoint, LocalAddress, pack_nonce, pack_transport_header, padded_length

ELSEWHERE = Endpoint("198.51.100.66", 666)
LOCAL = LocalAddress("192.0.2.1", 3)


class FastStranger(Stranger):
    """Besides, what the fast path of its node put out."""

    def __init__(self, net: Network, node: Node) -> None:
        super().__init__(net, node)
        self.fast: list[Output] = []


Way = Callable[[Network, FastStranger, bytes], None]


def send_slow(net: Network, stranger: FastStranger, packet: bytes) -> None:
    stranger.node.device.send_packet(packet, net.now)


def send_fast(net: Network, stranger: FastStranger, packet: bytes) -> None:
    device = stranger.node.device
    lease = device.lease_seal(stranger.peer, 1, net.now)
    if lease is None:
        device.send_packet(packet, net.now)
        return
    plaintext = packet.ljust(padded_length(len(packet), device.mtu_bytes), b"\0")
    sealed = lease.aead.encrypt(pack_nonce(lease.first_counter), plaintext, None)
    datagram = pack_transport_header(lease.receiver_index, lease.first_counter) + sealed
    stranger.fast.append(SendDatagram(datagram, lease.endpoint, lease.local, lease.peer))
    device.commit_seal(lease, 1, len(datagram), net.now)


def receive_slow(net: Network, stranger: FastStranger, datagram: bytes) -> None:
    stranger.node.device.receive_datagram(datagram, ELSEWHERE, LOCAL, net.now)


def receive_fast(net: Network, stranger: FastStranger, datagram: bytes) -> None:
    device = stranger.node.device
    lease = device.lease_open(int.from_bytes(datagram[4:8], "little"), net.now)
    if lease is None:
        return
    counter = int.from_bytes(datagram[8:16], "little")
    if not lease.check(counter):
        device.drops[DropReason.REPLAYED] += 1
        return
    packet = lease.aead.decrypt(pack_nonce(counter), datagram[16:], None)
    assert lease.commit(counter)
    device.commit_open(lease, ELSEWHERE, LOCAL, 1, len(datagram), bool(packet), net.now)
    if packet:
        length = int.from_bytes(packet[2:4], "big")
        stranger.fast.append(DeliverPacket(packet[:length], lease.peer))


def story(send: Way, receive: Way, *, initiates: bool) -> list[object]:
    """One peer's life through the given paths, from the same seed; what was put out and the state after each step."""
    net = Network(4)
    node = net.node()
    stranger = FastStranger(net, node)
    if initiates:
        stranger.poke()
        stranger.respond()
    else:
        stranger.give(stranger.noise.create_initiation(stranger.stamp()))
        stranger.noise.consume_response(*stranger.take())
    steps: list[object] = []

    def note() -> None:
        outputs: list[Output] = [*stranger.fast, *node.device.poll()]
        stranger.fast.clear()
        # Peers of two networks are never equal: only what is on the wire or in the host is compared.
        steps.append(sorted(str(tuple(part for part in output if "Peer(" not in repr(part))) for output in outputs))
        steps.append((snapshot(node.device), dict(node.drops), node.device.next_deadline()))

    incoming = [stranger.noise.seal_data(counter, packet(stranger, node, counter)) for counter in range(1, 12)]
    for minute, datagram in enumerate([*incoming, incoming[3]]):
        receive(net, stranger, datagram)
        note()
        send(net, stranger, ip_packet(node.inner, stranger.inner, b"%d" % minute))
        note()
        net.now += 17
        node.device.advance(net.now)
        note()
    return steps


def packet(stranger: Stranger, node: Node, counter: int) -> bytes:
    """Data, and now and then a keepalive."""
    return b"" if counter % 4 == 0 else ip_packet(stranger.inner, node.inner, b"%d" % counter)


@pytest.mark.parametrize("initiates", [False, True])
@pytest.mark.parametrize(
    ("send", "receive"), [(send_fast, receive_slow), (send_slow, receive_fast), (send_fast, receive_fast)]
)
def test_both_paths_leave_the_same_state_and_the_same_datagrams(send: Way, receive: Way, initiates: bool) -> None:
    expected = story(send_slow, receive_slow, initiates=initiates)

    assert story(send, receive, initiates=initiates) == expected


def test_a_lease_that_outlives_its_peer_does_nothing(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()
    seal = node.device.lease_seal(stranger.peer, 1, net.now)
    unseal = node.device.lease_open(stranger.noise.remote_index, net.now)
    assert seal is not None
    assert unseal is not None
    node.device.remove_peer(stranger.peer.public_key, net.now)

    node.device.commit_seal(seal, 1, 100, net.now)
    node.device.commit_open(unseal, ELSEWHERE, None, 1, 100, True, net.now)

    assert node.device.poll() == []
    assert node.device.next_deadline() is None
    assert stranger.peer.endpoint == stranger.endpoint
