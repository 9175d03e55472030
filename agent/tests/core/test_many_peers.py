# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Thousands of peers: whatever is due at one moment is done in small pieces, and nobody starves anybody."""

from __future__ import annotations

import gc
import ipaddress
import weakref
from collections.abc import Callable

import pytest
from support.net import Network, Node
from support.packets import ip_packet
from support.reference_noise import with_macs
from support.stranger import Stranger
from wirefleet_agent.core import DeliverPacket, Peer, SendDatagram
from wirefleet_agent.core.constants import (
    EXPIRATIONS_PER_STEP,
    HANDSHAKES_PER_POLL,
    HANDSHAKES_PER_STEP,
    UNDER_LOAD_MESSAGES,
)
from wirefleet_agent.drops import DropReason
from wirefleet_agent.keys import PrivateKey, PublicKey
from wirefleet_agent.wire import Endpoint, MessageType, message_type

ATTACKER = Endpoint("203.0.113.66", 6666)
PEERS = 5 * HANDSHAKES_PER_STEP


def add_peers(net: Network, node: Node, count: int = PEERS, *, keepalive_s: int = 25) -> list[Peer]:
    """Peers that nobody answers for, with an endpoint and a persistent keepalive each."""
    peers = []
    for number in range(count):
        peer = node.device.add_peer(PublicKey(net.random.randbytes(32)), net.now)
        node.device.set_endpoint(peer, Endpoint("198.51.100.1", 1024 + number), net.now)
        node.device.set_persistent_keepalive(peer, keepalive_s, net.now)
        peers.append(peer)
    return peers


def turn(net: Network, node: Node) -> list[SendDatagram]:
    """What one turn of a loop sends that only calls ``advance``."""
    node.device.advance(net.now)
    return [output for output in node.device.poll() if isinstance(output, SendDatagram)]


def turns_of(net: Network, node: Node) -> list[list[SendDatagram]]:
    """Turns until the device has nothing more to do at this moment."""
    turns = []
    while (deadline := node.device.next_deadline()) is not None and deadline <= net.now:
        turns.append(turn(net, node))
    return turns


def initiated(datagrams: list[SendDatagram]) -> list[Peer | None]:
    return [each.peer for each in datagrams if message_type(each.datagram) is MessageType.INITIATION]


def switch_on(net: Network, node: Node) -> list[Peer]:
    return add_peers(net, node)


def come_up(net: Network, node: Node) -> list[Peer]:
    node.device.down(net.now)
    peers = add_peers(net, node)
    node.device.up(net.now)
    return peers


def change_key(net: Network, node: Node) -> list[Peer]:
    peers = add_peers(net, node)
    turns_of(net, node)
    node.device.set_private_key(PrivateKey(net.random.randbytes(32)), net.now)
    return peers


def retry(net: Network, node: Node) -> list[Peer]:
    peers = add_peers(net, node)
    turns_of(net, node)
    net.now += 5.5
    return peers


def hand_over_packets(net: Network, node: Node) -> list[Peer]:
    peers = add_peers(net, node, keepalive_s=0)
    for number, peer in enumerate(peers):
        node.device.allowed_ips.insert(ipaddress.ip_network(f"10.99.0.{number}"), peer)
        node.device.send_packet(ip_packet(node.inner, f"10.99.0.{number}"), net.now)
    return peers


# checklist 17, 18, 22
@pytest.mark.parametrize("begin", [switch_on, come_up, change_key, retry, hand_over_packets])
def test_initiations_that_are_due_at_once_are_spread_over_turns(
    net: Network, begin: Callable[[Network, Node], list[Peer]]
) -> None:
    node = net.node()
    peers = begin(net, node)

    turns = turns_of(net, node)

    assert max(map(len, turns)) <= HANDSHAKES_PER_STEP + HANDSHAKES_PER_POLL
    sent = [peer for datagrams in turns for peer in initiated(datagrams)]
    assert len(sent) == len(peers)
    assert set(sent) == set(peers)


def test_initiations_are_sent_in_the_order_in_which_they_were_asked_for(net: Network) -> None:
    node = net.node()
    peers = add_peers(net, node)
    node.device.set_endpoint(peers[3], ATTACKER, net.now)
    node.device.start_handshake(peers[3], net.now)

    turns = turns_of(net, node)

    assert [peer for datagrams in turns for peer in initiated(datagrams)] == peers


# checklist 22
def test_keepalives_that_are_due_at_once_are_spread_over_turns(net: Network) -> None:
    node = net.node()
    strangers = [Stranger(net, node, number=number) for number in range(1, 2 * EXPIRATIONS_PER_STEP + 3)]
    for stranger in strangers:
        stranger.initiate()
        node.device.set_persistent_keepalive(stranger.peer, 25, net.now)
    net.drain(node)
    net.now += 25

    turns = turns_of(net, node)

    assert [len(datagrams) for datagrams in turns] == [EXPIRATIONS_PER_STEP, EXPIRATIONS_PER_STEP, 2]
    sent = [datagram.peer for datagrams in turns for datagram in datagrams]
    assert sent == [stranger.peer for stranger in strangers]


def test_timers_that_have_moved_are_looked_at_in_small_pieces_as_well(net: Network) -> None:
    node = net.node()
    strangers = [Stranger(net, node, number=number) for number in range(1, 2 * EXPIRATIONS_PER_STEP + 3)]
    for stranger in strangers:
        stranger.initiate()
        node.device.set_persistent_keepalive(stranger.peer, 25, net.now)
    net.drain(node)
    net.now += 20
    for stranger in strangers:
        stranger.send(b"")
    net.now += 5

    turns = turns_of(net, node)

    assert turns == [[], [], []]
    deadline = node.device.next_deadline()
    assert deadline is not None
    assert deadline > net.now


def test_data_moves_between_initiations(net: Network) -> None:
    a, b = net.established_pair()
    add_peers(net, a)

    a.device.advance(net.now)
    a.device.send_packet(ip_packet(a.inner, b.inner, b"data"), net.now)
    outputs = a.device.poll()

    assert a.device.pending_handshakes > PEERS // 2
    assert [output.datagram[0] for output in outputs if isinstance(output, SendDatagram)].count(4) == 1


# checklist 24
def test_a_flood_of_handshakes_cannot_starve_data(net: Network) -> None:
    """As a loop under full load does: a poll after every batch, an advance per turn."""
    a, b = net.established_pair()
    flood = [with_macs(b"\x01\0\0\0" + net.random.randbytes(112), b.public_key.raw) for _ in range(100)]
    for datagram in flood:
        net.inject(datagram, source=ATTACKER, to=b, drain=False)

    turns = 0
    delivered = 0
    while b.device.pending_handshakes:
        turns += 1
        before = b.device.pending_handshakes
        for _ in range(4):
            a.device.send_packet(ip_packet(a.inner, b.inner, b"data"), net.now)
            for output in a.device.poll():
                assert isinstance(output, SendDatagram)
                b.device.receive_datagram(output.datagram, a.endpoint, None, net.now)
            delivered += sum(isinstance(output, DeliverPacket) for output in b.device.poll())
        b.device.advance(net.now)
        assert before - b.device.pending_handshakes <= HANDSHAKES_PER_STEP + 4 * HANDSHAKES_PER_POLL

    assert delivered == 4 * turns


# checklist 24
def test_a_flood_of_data_cannot_starve_handshakes(net: Network) -> None:
    """However many batches a turn has, every turn ends with an advance."""
    a, b = net.established_pair()
    strangers = [Stranger(net, b, number=number) for number in range(1, 3 * HANDSHAKES_PER_STEP + 1)]
    for stranger in strangers:
        stranger.give(stranger.noise.create_initiation(stranger.stamp()), drain=False)

    for _ in range(3):
        a.device.send_packet(ip_packet(a.inner, b.inner, b"data"), net.now)
        (output,) = a.device.poll()
        assert isinstance(output, SendDatagram)
        b.device.receive_datagram(output.datagram, a.endpoint, None, net.now)
        deadline = b.device.next_deadline()
        assert deadline is not None
        assert deadline <= net.now
        b.device.advance(net.now)
    net.drain(b)

    assert all(stranger.take("response") for stranger in strangers)


def test_what_others_begin_does_not_wait_for_thousands_of_ours(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    add_peers(net, node)

    stranger.give(stranger.noise.create_initiation(stranger.stamp()), drain=False)
    sent = turn(net, node)

    assert [each.datagram[0] for each in sent if each.peer is stranger.peer] == [2]
    assert len(initiated(sent)) > 0


def test_ours_do_not_wait_for_a_flood_of_others(net: Network) -> None:
    node = net.node()
    add_peers(net, node)

    for _ in range(PEERS):
        for _ in range(HANDSHAKES_PER_STEP + HANDSHAKES_PER_POLL):
            message = with_macs(b"\x01\0\0\0" + net.random.randbytes(112), node.public_key.raw)
            node.device.receive_datagram(message, ATTACKER, None, net.now)
        assert len(initiated(turn(net, node))) > 0

    assert node.drops[DropReason.BAD_HANDSHAKE] >= PEERS * (HANDSHAKES_PER_STEP - 1)


# checklist 24
def test_answers_to_ours_do_not_pile_up_to_a_load(net: Network) -> None:
    """As many of ours are begun as answers are dealt with: the hub must not ask its own peers for cookies."""
    hub = net.node("hub")
    strangers = [Stranger(net, hub, number=number) for number in range(1, 201)]
    assert len(strangers) > UNDER_LOAD_MESSAGES
    for stranger in strangers:
        hub.device.set_persistent_keepalive(stranger.peer, 25, net.now)
    by_peer = {stranger.peer: stranger for stranger in strangers}

    while hub.device.pending_handshakes:
        for sent in turn(net, hub):
            if message_type(sent.datagram) is MessageType.INITIATION:
                stranger = by_peer[sent.peer]  # type: ignore[index]
                stranger.noise.consume_initiation(sent.datagram)
                stranger.give(stranger.noise.create_response(), drain=False)
        assert not hub.device.is_under_load(net.now)

    assert all(stranger.peer.has_session(net.now) for stranger in strangers)
    assert not hub.drops


# checklist 23
@pytest.mark.parametrize("leave", ["down", "remove", "no endpoint", "no key"])
def test_who_leaves_while_waiting_is_not_initiated_to(net: Network, leave: str) -> None:
    node = net.node()
    peers = add_peers(net, node)
    if leave == "down":
        node.device.down(net.now)
    elif leave == "no key":
        node.device.set_private_key(None, net.now)
    else:
        for peer in peers:
            if leave == "remove":
                node.device.remove_peer(peer.public_key, net.now)
            else:
                node.device.set_endpoint(peer, None, net.now)

    assert turns_of(net, node) in ([], [[]])
    assert node.device.pending_handshakes == 0


# checklist 18
def test_who_got_a_session_while_waiting_is_not_initiated_to(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    add_peers(net, node)
    node.device.start_handshake(stranger.peer, net.now)

    stranger.initiate()
    net.drain(node)
    net.run_for(20)

    assert stranger.peer.has_session(net.now)
    assert not [r for r in net.sent("initiation", sender=node) if r.destination == stranger.endpoint]


# checklist 18
def test_who_was_answered_while_waiting_is_initiated_to_five_seconds_later(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    add_peers(net, node)
    stranger.give(stranger.noise.create_initiation(stranger.stamp()), drain=False)
    node.device.start_handshake(stranger.peer, net.now)

    began = net.now
    net.drain(node)
    net.run_for(4.9)
    assert not [r for r in net.sent("initiation", sender=node) if r.destination == stranger.endpoint]
    net.run_for(0.5)

    times = [r.time for r in net.sent("initiation", sender=node) if r.destination == stranger.endpoint]
    assert len(times) == 1
    assert 5 <= times[0] - began <= 5.4


# checklist 2
def test_peers_with_keys_of_low_order_wait_in_line_and_are_never_called(net: Network) -> None:
    node = net.node()
    low_order = node.device.add_peer(PublicKey(bytes(32)), net.now)
    node.device.set_endpoint(low_order, ATTACKER, net.now)
    node.device.set_persistent_keepalive(low_order, 25, net.now)
    peers = add_peers(net, node)

    turns = turns_of(net, node)

    assert [peer for datagrams in turns for peer in initiated(datagrams)] == peers
    assert not low_order.handshake.is_usable


# checklist 39
def test_a_removed_peer_is_freed_without_the_cycle_collector(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()
    peer = weakref.ref(stranger.peer)
    gc.collect()
    gc.disable()
    try:
        node.device.remove_peer(stranger.peer.public_key, net.now)
        node.events.clear()
        net.records.clear()
        del stranger
        node.device.next_deadline()

        assert peer() is None
    finally:
        gc.enable()


def test_a_relay_that_goes_leaves_every_spoke_reachable(net: Network) -> None:
    node = net.node()
    relays = add_peers(net, node, 2)
    spokes = add_peers(net, node, 1000, keepalive_s=0)
    for number, spoke in enumerate(spokes):
        prefix = ipaddress.ip_network(f"10.99.{number // 250}.{number % 250}")
        keys = [peer.public_key for peer in (spoke, *relays)]
        node.device.set_group(str(number), keys, [prefix], active=keys[number % 3], direct=keys[0], now=net.now)

    node.device.remove_peer(relays[0].public_key, net.now)

    for number, spoke in enumerate(spokes):
        group = node.device.groups[str(number)]
        assert group.members == (spoke, relays[1])
        assert group.active is (relays[1] if number % 3 == 2 else spoke)
    for spoke in spokes:
        node.device.remove_peer(spoke.public_key, net.now)
    assert not node.device.groups
    assert not node.device._groups._of_peer
