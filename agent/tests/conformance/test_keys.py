# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Keypairs: their slots, their age, their end; checklist 11 to 16."""

from __future__ import annotations

import pytest
from support.net import Network
from support.node import Node
from support.stranger import Stranger
from wirefleet_agent.core import constants
from wirefleet_agent.drops import DropReason
from wirefleet_agent.wire import pack_nonce, pack_transport_header


def exhaust(net: Network, node: Node, to: Node, next_counter: int) -> None:
    """Lease counters away until the next one that ``node`` uses towards ``to`` is ``next_counter``."""
    peer = node.peer(to)
    lease = node.device.lease_seal(peer, 1, net.now)
    assert lease is not None
    used = lease.first_counter + 1
    if next_counter > used:
        assert node.device.lease_seal(peer, next_counter - used, net.now) is not None


# checklist 11
def test_the_responder_sends_nothing_under_a_key_that_is_not_confirmed(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.give(stranger.noise.create_initiation(stranger.stamp()))
    (response,) = stranger.take()
    stranger.noise.consume_response(response)

    stranger.poke(b"staged")
    assert stranger.take() == []
    assert not node.handshakes

    stranger.send(b"")
    assert [plaintext[20:26] for plaintext in stranger.opened()] == [b"staged"]
    assert node.handshakes == 1


def test_the_responder_keeps_using_the_old_key_until_the_new_one_is_confirmed(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()
    old_index = stranger.noise.remote_index, stranger.noise.local_index
    net.run_for(1)
    stranger.give(stranger.noise.create_initiation(stranger.stamp()))
    (response,) = stranger.take("response")

    stranger.poke()
    (datagram,) = stranger.take()
    assert datagram[4:8] == old_index[1].to_bytes(4, "little")

    stranger.noise.consume_response(response)
    stranger.send(stranger.packet(b"confirm"))
    stranger.poke()
    (datagram,) = stranger.take()
    assert datagram[4:8] == stranger.noise.local_index.to_bytes(4, "little") != old_index[1].to_bytes(4, "little")


def test_packets_under_the_previous_key_are_still_opened(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()
    late = stranger.noise.seal_data(7, stranger.packet(b"late"))
    net.run_for(1)
    stranger.initiate()

    stranger.give(late)
    assert node.payloads == [b"late"]

    net.run_for(1)
    stranger.initiate()
    stranger.give(late)
    assert node.drops == {DropReason.UNKNOWN_INDEX: 1}, "two keys ago is too long ago"


def test_an_unconfirmed_key_becomes_the_previous_one_when_our_own_handshake_overtakes_it(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()
    net.run_for(1)
    stranger.give(stranger.noise.create_initiation(stranger.stamp()))
    stranger.noise.consume_response(*stranger.take("response"))
    late = stranger.noise.seal_data(0, stranger.packet(b"late"))
    stranger.poke()
    net.run_for(16)
    stranger.respond()

    stranger.give(late)
    stranger.take()
    stranger.poke()

    assert node.payloads == [b"late"]
    assert len(stranger.opened()) == 1, "the newest key stays the one to send with"
    assert len(node.device._environment.indices) == 2, "the key before both is forgotten"


def test_a_forged_packet_confirms_no_key(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.give(stranger.noise.create_initiation(stranger.stamp()))
    stranger.noise.consume_response(*stranger.take("response"))
    forged = bytearray(stranger.noise.seal_data(0, b""))
    forged[-1] ^= 1

    stranger.give(bytes(forged))

    assert node.drops == {DropReason.BAD_TAG: 1}
    assert not stranger.peer.has_session(net.now)


# checklist 12
def test_after_120_seconds_the_initiator_rekeys_when_it_sends(net: Network) -> None:
    a, b = net.established_pair()
    net.run_for(119)
    a.send(b)
    b.send(a)
    net.run_for(0.5)
    assert net.count("initiation") == 0

    net.run_for(1)
    b.send(a)
    net.run_for(1)
    assert net.count("initiation") == 0, "the responder does not rekey for age"
    assert net.count("response") == 0

    a.send(b)
    net.run_for(1)
    assert net.count("initiation", sender=a) == 1
    assert net.count("initiation", sender=b) == 0
    assert len(b.payloads) == 2


def test_after_120_seconds_a_silent_initiator_stays_silent(net: Network) -> None:
    a, _ = net.established_pair()

    net.run_for(600)

    assert net.sent(sender=a) == []
    assert net.count("initiation") == 0


@pytest.mark.parametrize("role", ["initiator", "responder"])
def test_after_2_to_the_60_messages_either_side_rekeys(net: Network, role: str) -> None:
    a, b = net.established_pair()
    sender, receiver = (a, b) if role == "initiator" else (b, a)
    net.run_for(6)
    exhaust(net, sender, receiver, 2**60 - 1)

    sender.send(receiver, b"the last but one")
    net.run_for(0.1)
    assert net.count("initiation") == 0

    sender.send(receiver, b"and one more")
    sender.send(receiver, b"and one more")
    net.run_for(0.1)
    assert net.count("initiation", sender=sender) == 1
    assert len(receiver.payloads) == 3
    assert net.count("response", sender=receiver) == 1


# checklist 13
def test_an_initiator_that_receives_after_165_seconds_rekeys_once(net: Network) -> None:
    a, b = net.established_pair()
    net.cut(a, b, one_way=True)
    net.run_for(164.5)
    b.send(a)
    net.run_for(0.1)
    assert net.count("initiation") == 0

    net.run_for(1)
    b.send(a)
    net.run_for(0.1)
    assert net.count("initiation", sender=a) == 1

    for _ in range(3):
        b.send(a)
        net.run_for(0.1)
    assert net.count("initiation", sender=a) == 1


def test_the_receive_side_rekey_happens_once_per_session_even_past_the_retry_gap(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.poke()
    stranger.respond()
    net.run_for(165.5)
    stranger.take()
    stranger.send(b"")
    assert len(stranger.take("initiation")) == 1
    stranger.peer.timers.retransmit_handshake_at = float("inf")

    net.run_for(6)
    stranger.send(b"")

    assert stranger.take("initiation") == []


def test_the_next_session_has_its_own_receive_side_rekey(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.poke()
    stranger.respond()

    for _ in range(3):
        net.run_for(165.5)
        stranger.take()
        stranger.send(b"")
        stranger.respond()

    assert node.handshakes == 4


def test_a_responder_that_receives_after_165_seconds_does_not_rekey(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()
    net.run_for(170)

    stranger.send(stranger.packet())
    net.run_for(1)

    assert stranger.take("initiation") == []
    assert node.payloads == [b"data"]


# checklist 14
def test_after_180_seconds_nothing_is_sent_but_a_handshake(net: Network) -> None:
    a, b = net.established_pair()
    net.run_for(179.5)
    assert a.has_session(b)
    net.run_for(1)
    net.cut(a, b)

    b.send(a, b"staged")
    a.send(b, b"staged")

    assert [record.kind for record in net.records if record.fate == "cut"] == ["initiation", "initiation"]
    assert a.peer(b).staged_packets == b.peer(a).staged_packets == 1


def test_after_180_seconds_nothing_is_opened(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()
    net.run_for(179.9)
    stranger.send(stranger.packet(b"just in time"))
    net.run_for(0.1)

    index = int.from_bytes(stranger.send(stranger.packet(b"too late"))[4:8], "little")

    assert node.payloads == [b"just in time"]
    assert node.drops == {DropReason.EXPIRED_KEY: 1}
    assert node.device.lease_open(index, net.now) is None, "dropped before decryption: there is nothing to decrypt with"


def test_no_counter_from_the_limit_on_is_ever_sent(net: Network) -> None:
    a, b = net.established_pair()
    net.run_for(6)
    exhaust(net, a, b, constants.REJECT_AFTER_MESSAGES - 1)
    net.filters.append(lambda record: record.kind != "response")

    a.send(b, b"the last")
    a.send(b, b"one too many")
    net.run_for(1)

    (data,) = net.sent("data")
    assert int.from_bytes(data.datagram[8:16], "little") == 2**64 - 2**13 - 2
    assert b.payloads == [b"the last"]
    assert a.device.lease_seal(a.peer(b), 1, net.now) is None
    net.filters.clear()
    net.run_for(10)
    assert b.payloads == [b"the last", b"one too many"]


@pytest.mark.parametrize("counter", [2**64 - 2**13 - 1, 2**64 - 1])
def test_no_counter_from_the_limit_on_is_accepted(net: Network, counter: int) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()

    stranger.send(stranger.packet(), counter=counter)
    assert node.drops == {DropReason.REPLAYED: 1}

    stranger.send(stranger.packet(), counter=2**64 - 2**13 - 2)
    assert node.payloads == [b"data"]


# checklist 15
def test_540_seconds_after_the_last_session_all_keys_and_staged_packets_are_gone(net: Network) -> None:
    a, b = net.established_pair()
    net.run_for(530)
    net.cut(a, b)
    a.send(b, b"staged")
    net.run_for(9.8)
    assert len(a.device._environment.indices) == 2
    assert a.peer(b).staged_packets == 1

    net.run_for(0.2)

    assert len(a.device._environment.indices) == 0
    assert a.drops == {DropReason.STAGED_EXPIRED: 1}
    assert a.peer(b).handshake._chaining_key == b""


def test_each_new_session_puts_the_wiping_off(net: Network) -> None:
    a, b = net.established_pair()
    net.run_for(300)
    a.send(b)
    net.run_for(500)
    assert len(a.device._environment.indices) == 2

    net.run_for(41)
    assert len(a.device._environment.indices) == 0


def test_a_handshake_that_was_given_up_is_wiped_as_well(net: Network) -> None:
    a, b = net.pair()
    b.kill()
    a.send(b)
    net.run_for(100)
    assert len(a.device._environment.indices) == 1
    assert a.peer(b).handshake._chaining_key

    net.run_for(545)

    assert len(a.device._environment.indices) == 0
    assert not a.peer(b).handshake._chaining_key
    assert a.device.next_deadline() is None


# checklist 16
def test_wiping_zeroes_what_python_lets_us_zero(net: Network) -> None:
    a, b = net.pair()
    b.kill()
    a.send(b)
    peer = a.peer(b)
    handshake = peer.handshake
    assert handshake._ephemeral is not None
    secrets = [handshake._chaining_key, handshake._static_static, handshake._ephemeral.private_key._buffer]
    assert all(any(secret) for secret in secrets)

    a.device.remove_peer(b.public_key, net.now)

    assert all(not any(secret) for secret in secrets)


def test_a_new_attempt_zeroes_the_ephemeral_of_the_one_before(net: Network) -> None:
    a, b = net.pair()
    b.kill()
    a.send(b)
    first = a.peer(b).handshake._ephemeral
    assert first is not None

    net.run_for(6)

    assert a.peer(b).handshake._ephemeral is not first
    assert first.private_key.is_zero


def test_the_fast_path_seals_under_the_same_session(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()
    lease = node.device.lease_seal(stranger.peer, 2, net.now)
    assert lease is not None

    sealed = lease.aead.encrypt(pack_nonce(lease.first_counter + 1), b"x" * 16, None)

    datagram = pack_transport_header(lease.receiver_index, lease.first_counter + 1) + sealed
    assert stranger.noise.open_data(datagram) == (lease.first_counter + 1, b"x" * 16)
