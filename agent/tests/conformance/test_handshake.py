# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Handshakes against the reference implementation, in both roles; checklist 1 and 3 to 10."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from support.net import Network
from support.packets import ip_packet
from support.reference_noise import hash_of, mac_of, with_macs
from support.stranger import Stranger
from wirefleet_agent.core import Device, HandshakeCompleted, stamp_of
from wirefleet_agent.drops import DropReason
from wirefleet_agent.keys import PresharedKey, PrivateKey, PublicKey
from wirefleet_agent.wire import Endpoint

PSKS = [None, bytes(range(32))]


# checklist 1
@pytest.mark.parametrize("psk", PSKS)
def test_the_reference_initiates_and_traffic_flows_both_ways(net: Network, psk: bytes | None) -> None:
    node = net.node()
    stranger = Stranger(net, node, psk=psk)

    stranger.initiate()
    stranger.send(stranger.packet(b"hello"))
    stranger.poke(b"back!")

    assert node.payloads == [b"hello"]
    (reply,) = stranger.opened()
    packet = ip_packet(node.inner, stranger.inner, b"back!")
    assert reply == packet + bytes(-len(packet) % 16)
    assert not node.drops


@pytest.mark.parametrize("psk", PSKS)
def test_the_reference_responds_and_traffic_flows_both_ways(net: Network, psk: bytes | None) -> None:
    node = net.node()
    stranger = Stranger(net, node, psk=psk)

    stranger.poke(b"first")
    stranger.respond()
    stranger.send(stranger.packet(b"hello"))

    (plaintext,) = stranger.opened()
    assert plaintext[20:25] == b"first"
    assert node.payloads == [b"hello"]
    assert not node.drops


def test_message_sizes_are_those_of_the_paper(net: Network) -> None:
    a, b = net.pair(keepalive_s=60)
    net.run_for(1)
    a.send(b, b"x")
    net.run_for(1)

    assert [(r.kind, r.size, r.datagram[:4]) for r in net.records] == [
        ("initiation", 148, b"\x01\0\0\0"),
        ("response", 92, b"\x02\0\0\0"),
        ("keepalive", 32, b"\x04\0\0\0"),
        ("data", 32 + 32, b"\x04\0\0\0"),
    ]


def test_one_byte_more_or_less_or_a_reserved_byte_is_malformed(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    good = stranger.noise.create_initiation(stranger.stamp())

    for bad in (good[:-1], good + b"\0"):
        stranger.give(bad)
    for offset in (1, 2, 3):
        stranger.give(good[:offset] + b"\x01" + good[offset + 1 :])

    assert node.drops == {DropReason.MALFORMED_MESSAGE: 2, DropReason.UNKNOWN_MESSAGE_TYPE: 3}
    stranger.give(good)
    assert len(stranger.take("response")) == 1


# checklist 3
def test_a_preshared_key_of_zeros_is_none(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node, psk=bytes(32))

    stranger.initiate()

    assert stranger.peer.preshared_key is None
    assert node.handshakes == 1


def test_the_preshared_key_is_not_needed_before_the_response(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node, psk=bytes([7]) * 32)
    stranger.noise.psk = bytes(32)

    stranger.give(stranger.noise.create_initiation(stranger.stamp()))
    assert len(stranger.take("response")) == 1

    net.run_for(6)
    stranger.poke()
    stranger.respond()
    assert node.drops == {DropReason.BAD_HANDSHAKE: 1}
    assert not stranger.peer.has_session(net.now)


def test_a_corrected_preshared_key_heals_at_the_next_attempt(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node, psk=bytes([7]) * 32)
    node.device.set_preshared_key(stranger.peer, PresharedKey(bytes([8]) * 32), net.now)
    stranger.poke(b"staged")
    stranger.respond()
    assert node.drops == {DropReason.BAD_HANDSHAKE: 1}

    node.device.set_preshared_key(stranger.peer, PresharedKey(bytes([7]) * 32), net.now)
    net.run_for(5.4)
    stranger.respond()

    assert [plaintext[20:26] for plaintext in stranger.opened()] == [b"staged"]


# checklist 4
def test_a_forged_mac1_costs_no_curve_operation(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.poke()
    (ours,) = stranger.take("initiation")
    stranger.noise.consume_initiation(ours)
    response = bytearray(stranger.noise.create_response())
    initiation = bytearray(stranger.noise.create_initiation(stranger.stamp()))
    initiation[-32] ^= 1
    response[-32] ^= 1

    with monkeypatch.context() as patch:
        patch.setattr("wirefleet_agent.core.handshake._exchange", lambda *_: pytest.fail("Diffie-Hellman"))
        stranger.give(bytes(initiation))
        stranger.give(bytes(response))

    assert node.drops == {DropReason.BAD_MAC1: 2}
    assert stranger.take() == []


def test_mac1_is_keyed_with_the_receivers_public_key(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.poke()

    (initiation,) = stranger.take("initiation")

    assert initiation[-32:-16] == mac_of(hash_of(b"mac1----" + stranger.noise.public), initiation[:-32])
    assert initiation[-16:] == bytes(16)


# checklist 5
def test_stamps_are_tai64n_with_masked_nanoseconds(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)

    stranger.poke()
    net.run_for(59)

    stamps = [stranger.noise.consume_initiation(initiation) for initiation in stranger.take("initiation")]
    assert len(stamps) > 10
    for stamp in stamps:
        assert int.from_bytes(stamp[8:], "big") & 0xFFFFFF == 0
        assert 0 <= int.from_bytes(stamp[:8], "big") - 0x400000000000000A - 1_700_000_000 - 1000 < 60
    assert stamps == sorted(set(stamps))


def test_a_stamp_that_is_not_newer_is_dropped(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    middle, late = stamp_of(2_000_000_000, 500), stamp_of(2_000_000_000, 501)
    for stamp in (middle, middle, stamp_of(1_999_999_999, 999_999_999), late, middle):
        net.run_for(0.03)
        stranger.give(stranger.noise.create_initiation(stamp))

    assert node.drops == {DropReason.REPLAYED_INITIATION: 3}
    assert len(stranger.take("response")) == 2


def test_wall_clock_steps_do_not_lock_us_out(net: Network) -> None:
    a, b = net.established_pair()

    for days in (-1, 365, 0):
        a.wall_offset_s = days * 86400
        for _ in range(130):
            a.send(b, b"x")
            net.run_for(1)

    assert net.count("initiation", sender=a) == 3
    assert b.drops == {}
    assert len(b.payloads) == 390


def test_accepted_stamps_are_not_persisted_but_a_restarted_node_takes_a_replay_once_only(net: Network) -> None:
    a, b = net.pair()
    a.send(b, b"one")
    net.run_for(1)
    (initiation,) = net.sent("initiation")
    b.restart()
    attacker = b.endpoint._replace(host="198.51.100.66")

    net.inject(initiation.datagram, source=attacker, to=b)
    net.run_for(1)
    net.inject(initiation.datagram, source=attacker, to=b)

    assert b.drops[DropReason.REPLAYED_INITIATION] == 1
    assert not b.has_session(a)
    a.send(b, b"two")
    net.run_for(25)
    a.send(b, b"three")
    net.run_for(1)
    assert b.payloads[-1] == b"three"
    assert b.peer(a).endpoint == a.endpoint


# checklist 6
@pytest.mark.parametrize(("gap_s", "answers"), [(0.0, 1), (0.019, 1), (0.021, 2)])
def test_initiations_closer_than_20_ms_are_a_flood(net: Network, gap_s: float, answers: int) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.give(stranger.noise.create_initiation(stranger.stamp()))
    net.run_for(gap_s)
    stranger.give(stranger.noise.create_initiation(stranger.stamp()))

    assert len(stranger.take("response")) == answers
    assert node.drops[DropReason.INITIATION_FLOOD] == 2 - answers


def test_the_flood_limit_is_the_peers_own(net: Network) -> None:
    node = net.node()
    strangers = [Stranger(net, node, number=number) for number in range(100, 110)]

    for stranger in strangers:
        stranger.give(stranger.noise.create_initiation(stranger.stamp()))

    assert all(len(stranger.take("response")) == 1 for stranger in strangers)


# checklist 7
def test_indices_are_random_and_never_taken_twice() -> None:
    draws = iter([b"\1\0\0\0", b"\1\0\0\0", b"\1\0\0\0", b"\2\0\0\0"])

    def entropy(count: int) -> bytes:
        return next(draws) if count == 4 else bytes(range(count))

    device = Device(entropy=entropy, tai64n_now=lambda: stamp_of(1, 0))
    device.set_private_key(PrivateKey(bytes([9]) * 32), 0)
    device.up(0)
    for seed in (1, 2):
        public = X25519PrivateKey.from_private_bytes(bytes([seed]) * 32).public_key().public_bytes_raw()
        peer = device.add_peer(PublicKey(public), 0)
        device.set_persistent_keepalive(peer, 25, 0)
        device.set_endpoint(peer, Endpoint("192.0.2.1", 1), 0)

    outputs = device.poll() + device.poll()
    assert [output.datagram[4:8] for output in outputs] == [b"\1\0\0\0", b"\2\0\0\0"]
    assert next(draws, None) is None


def test_an_index_becomes_the_keypairs_and_answers_no_second_response(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.poke()
    (initiation,) = stranger.take("initiation")
    stranger.noise.consume_initiation(initiation)
    response = stranger.noise.create_response()
    stranger.give(response)
    table = node.device._environment.indices
    assert (len(table.handshakes), len(table.sessions)) == (0, 1)

    stranger.give(response)

    assert node.drops == {DropReason.UNEXPECTED_RESPONSE: 1}
    assert (len(table.handshakes), len(table.sessions)) == (0, 1)


def test_the_answer_to_an_initiation_that_was_retried_comes_too_late(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.poke()
    (first,) = stranger.take("initiation")
    net.run_for(5.4)
    (second,) = stranger.take("initiation")

    stranger.noise.consume_initiation(first)
    stranger.give(stranger.noise.create_response())
    assert node.drops == {DropReason.UNKNOWN_INDEX: 1}

    stranger.noise.consume_initiation(second)
    stranger.give(stranger.noise.create_response())
    assert len(stranger.opened()) == 1


# checklist 8
def test_a_forged_response_leaves_the_handshake_as_it_was(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.poke()
    (ours,) = stranger.take("initiation")
    stranger.noise.consume_initiation(ours)
    response = stranger.noise.create_response()
    attacker = stranger.endpoint._replace(host="198.51.100.66")

    for offset in (12, 43, 44, 59):
        forged = bytearray(response)
        forged[offset] ^= 1
        stranger.give(with_macs(bytes(forged[:-32]), node.public_key.raw), source=attacker)

    assert node.drops == {DropReason.BAD_HANDSHAKE: 4}
    assert stranger.peer.endpoint == stranger.endpoint
    stranger.give(response)
    assert len(stranger.opened()) == 1


def test_a_forged_initiation_does_not_disturb_a_handshake_under_way(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.poke()
    (ours,) = stranger.take("initiation")
    other = stranger.noise.create_initiation(stranger.stamp())
    for offset in (8, 40, 88, 115):
        forged = bytearray(other)
        forged[offset] ^= 1
        stranger.give(with_macs(bytes(forged[:-32]), node.public_key.raw))

    assert node.drops == {DropReason.BAD_HANDSHAKE: 4}
    stranger.noise.consume_initiation(ours)
    stranger.give(stranger.noise.create_response())
    assert len(stranger.opened()) == 1


def test_a_response_without_an_initiation_has_no_index_to_answer(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)

    stranger.give(with_macs(b"\x02\0\0\0" + bytes(56), node.public_key.raw))

    assert node.drops == {DropReason.UNKNOWN_INDEX: 1}


# checklist 9
def test_the_initiator_confirms_the_key_at_once(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    node.device.set_persistent_keepalive(stranger.peer, 25, net.now)
    net.drain(node)

    stranger.respond()

    assert stranger.opened() == [b""]
    assert [type(event) for _, event in node.events] == [HandshakeCompleted]


# checklist 10
def test_an_initiation_is_answered_while_our_own_waits_and_the_later_one_wins(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.poke(b"staged")
    stranger.take()

    stranger.initiate()

    plaintexts = stranger.opened()
    assert [plaintext[20:26] for plaintext in plaintexts] == [b"staged"]
    net.run_for(9)
    assert stranger.take("initiation") == [], "its own handshake is over"


@pytest.mark.parametrize("private", range(1, 9))
def test_after_a_crossing_a_peer_that_never_retries_is_tried_again_by_us(net: Network, private: int) -> None:
    """wireguard-go's retry fires within 5 s of its own response, is suppressed and not armed again."""
    node = net.node()
    stranger = Stranger(net, node, private=bytes([private]) * 32)
    stranger.poke(b"staged")
    (ours,) = stranger.take()
    stranger.give(stranger.noise.create_initiation(stranger.stamp()))
    crossed_at = net.now
    stranger.noise.consume_initiation(ours)
    stranger.give(stranger.noise.create_response())
    assert node.drops == {DropReason.UNKNOWN_INDEX: 1}
    stranger.take()

    net.run_for(10.4)

    retry = net.sent("initiation")[-1]
    wait_s = 10 if stranger.peer.public_key < node.public_key else 5
    assert wait_s <= net.sent("initiation")[1].time - crossed_at <= wait_s + 0.334
    stranger.take()
    stranger.noise.consume_initiation(retry.datagram)
    stranger.give(stranger.noise.create_response())
    assert [plaintext[20:26] for plaintext in stranger.opened()] == [b"staged"]
