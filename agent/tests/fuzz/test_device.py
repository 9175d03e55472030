# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A device under hostile datagrams: it never raises, and what is not authentic changes only drop counters."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.net import Network
from support.node import Node
from support.packets import ip_packet
from support.reference_noise import with_macs
from support.snapshot import snapshot
from support.stranger import Stranger
from wirefleet_agent.wire import Endpoint

ATTACKER = Endpoint("2001:db8::66", 666)
MAC2_BYTES = 16


def scene(seed: int = 1) -> tuple[Network, Node, Stranger]:
    """A node with a session, a handshake of its own under way with another peer, and running timers."""
    net = Network(seed)
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()
    stranger.send(stranger.packet())
    waiting = Stranger(net, node, number=201)
    waiting.poke()
    node.device.set_persistent_keepalive(stranger.peer, 25, net.now)
    net.drain(node)
    net.run_for(0.5)
    node.drops.clear()
    return net, node, stranger


def attack(net: Network, node: Node, datagram: bytes) -> None:
    """Nothing is delivered, sent or changed, and exactly one drop is counted."""
    before = snapshot(node.device), len(node.delivered), len(net.records), sum(node.drops.values())

    net.inject(datagram, source=ATTACKER, to=node)

    assert snapshot(node.device) == before[0]
    assert len(node.delivered) == before[1]
    assert len(net.records) == before[2]
    assert sum(node.drops.values()) == before[3] + 1


def flips(message: bytes, end: int | None = None) -> list[bytes]:
    """The message with each bit flipped, and each byte replaced by its complement."""
    variants = []
    for offset in range(len(message) if end is None else end):
        for mask in (1, 2, 4, 8, 16, 32, 64, 128, 255):
            variants.append(message[:offset] + bytes([message[offset] ^ mask]) + message[offset + 1 :])
    return variants


def truncations(message: bytes) -> list[bytes]:
    return [message[:length] for length in range(len(message))] + [message + b"\0"]


@pytest.mark.parametrize("size", [0, 20, 100])
def test_a_damaged_data_message_delivers_nothing_and_changes_nothing(size: int) -> None:
    net, node, stranger = scene()
    plaintext = stranger.packet(b"x" * (size - 20)) if size else b""
    genuine = stranger.noise.seal_data(50, plaintext)

    for damaged in flips(genuine) + truncations(genuine):
        attack(net, node, damaged)

    delivered = len(node.delivered)
    stranger.give(genuine)
    assert len(node.delivered) == delivered + bool(size), "the genuine one is still welcome"


def test_a_damaged_initiation_changes_nothing() -> None:
    net, node, stranger = scene()
    genuine = stranger.noise.create_initiation(stranger.stamp())

    for damaged in flips(genuine, len(genuine) - MAC2_BYTES) + truncations(genuine):
        attack(net, node, damaged)
    # As an attacker does it who knows our public key: everything but the sender index is authenticated.
    for damaged in flips(genuine[:116])[8 * 9 :]:
        attack(net, node, with_macs(damaged, node.public_key.raw))

    stranger.give(genuine)
    assert len(stranger.take("response")) == 1


def test_a_damaged_response_changes_nothing() -> None:
    net, node, _ = scene()
    waiting = Stranger(net, node, number=202)
    waiting.poke()
    waiting.noise.consume_initiation(*waiting.take())
    genuine = waiting.noise.create_response()

    for damaged in flips(genuine, len(genuine) - MAC2_BYTES) + truncations(genuine):
        attack(net, node, damaged)
    for damaged in flips(genuine[:60])[8 * 9 :]:
        attack(net, node, with_macs(damaged, node.public_key.raw))

    waiting.give(genuine)
    assert len(waiting.opened()) == 1


def test_a_damaged_cookie_reply_changes_nothing() -> None:
    net, node, _ = scene()
    waiting = Stranger(net, node, number=202)
    waiting.poke()
    genuine = waiting.noise.create_cookie_reply(*waiting.take(), bytes(range(16)))

    for damaged in flips(genuine) + truncations(genuine):
        attack(net, node, damaged)

    waiting.give(genuine)
    assert not waiting.peer.cookies.is_reply_expected


def test_replays_of_everything_ever_sent_change_nothing() -> None:
    net = Network(3)
    a, b = net.pair(keepalive_s=5)
    for number in range(300):
        a.send(b, b"%d" % number)
        b.send(a, b"%d" % number)
        net.run_for(1)
    seen = [(record.datagram, record.receiver) for record in net.records]
    net.run_for(0.1)

    for datagram, receiver in seen:
        assert receiver is not None
        attack(net, receiver, datagram)


_shared = scene(9)


@settings(max_examples=600, deadline=None, derandomize=True)
@given(st.binary(max_size=200), st.integers(0, 5), st.sampled_from([0, 64, 92, 148]))
def test_random_bytes_of_any_type_and_size_change_nothing(data: bytes, kind: int, size: int) -> None:
    net, node, _ = _shared
    attack(net, node, data)
    datagram = bytes([kind, 0, 0, 0]) + data
    attack(net, node, datagram.ljust(size, b"\x5a")[: size or None])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(min_size=112, max_size=112), st.binary(min_size=56, max_size=56))
def test_random_handshake_messages_with_a_valid_mac1_change_nothing(initiation: bytes, response: bytes) -> None:
    net, node, _ = _shared
    attack(net, node, with_macs(b"\x01\0\0\0" + initiation, node.public_key.raw))
    attack(net, node, with_macs(b"\x02\0\0\0" + response, node.public_key.raw))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=120))
def test_authenticated_rubbish_is_never_delivered(plaintext: bytes) -> None:
    _, node, stranger = _shared
    before = len(node.delivered)

    stranger.send(plaintext)

    for _, packet, _ in node.delivered[before:]:
        assert packet == plaintext[: len(packet)]
        assert packet[12:16] == stranger.packet()[12:16], "only a packet from its own address could pass"


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=120))
def test_rubbish_from_the_host_is_never_sent(packet: bytes) -> None:
    net, node, _ = _shared
    before = len(net.records)

    node.device.send_packet(packet, net.now)
    net.drain(node)

    assert len(net.records) == before


@pytest.mark.parametrize("seed", range(12))
def test_any_order_of_calls_keeps_the_device_consistent(seed: int) -> None:
    """Random walks over the whole surface: no exception, no leaked index, deadlines that are never in the past."""
    print("seed", seed)
    chance = random.Random(seed)
    net = Network(seed)
    nodes = [net.node() for _ in range(3)]
    for _ in range(400):
        node, other = chance.sample(nodes, 2)
        peer = node.device.peers.get(other.public_key)
        action = chance.randrange(14)
        if peer is None:
            node.configure(other, keepalive_s=chance.choice([0, 1, 25]), endpoint=chance.random() < 0.8)
        elif action == 0:
            node.device.remove_peer(other.public_key, net.now)
        elif action == 1:
            node.device.down(net.now)
        elif action in (2, 3):
            node.device.up(net.now)
        elif action == 4:
            node.device.set_endpoint(peer, chance.choice([None, other.endpoint, ATTACKER]), net.now)
        elif action == 5:
            node.device.set_persistent_keepalive(peer, chance.choice([0, 1, 65535]), net.now)
        elif action == 6:
            node.device.set_private_key(chance.choice([None, node.private_key, node.private_key]), net.now)
            if node.device.private_key is None:
                node.device.set_private_key(node.private_key, net.now)
        elif action == 7 and net.records:
            net.inject(chance.choice(net.records).datagram, source=ATTACKER, to=node)
        elif action == 8 and (lease := node.device.lease_seal(peer, 3, net.now)):
            node.device.commit_seal(lease, 3, 300, net.now)
        elif action == 9:
            node.device.clear_sticky_sources()
        else:
            node.device.send_packet(ip_packet(node.inner, other.inner, b"walk"), net.now)
        net.drain()
        net.run_for(chance.choice([0, 0.01, 1, 6, 100]))
        for each in nodes:
            deadline = each.device.next_deadline()
            assert deadline is None or deadline >= net.now or not each.device.is_up
            peers, handshakes, sessions = snapshot(each.device)
            assert len(handshakes) <= len(peers)
            assert len(sessions) <= 3 * len(peers)

    for node in nodes:
        for key in list(node.device.peers):
            node.device.remove_peer(key, net.now)
        assert len(node.device._environment.indices) == 0
        assert node.device.next_deadline() is None
