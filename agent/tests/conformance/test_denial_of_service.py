# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A flood of handshakes: load, cookies, mac2, the limiter; checklist 24 to 26."""

from __future__ import annotations

import pytest
from support.net import Network
from support.node import Node
from support.packets import ip_packet
from support.reference_noise import hash_of, mac_of, with_macs, xseal
from support.stranger import Stranger
from wirefleet_agent.core import SendDatagram
from wirefleet_agent.drops import DropReason
from wirefleet_agent.wire import Endpoint

ATTACKER = Endpoint("198.51.100.66", 666)


def flood(net: Network, node: Node, count: int, *, source: Endpoint = ATTACKER) -> None:
    """Initiations with a valid mac1 and nothing else right; they stay in the node's queue."""
    for _ in range(count):
        message = with_macs(b"\x01\0\0\0" + net.random.randbytes(112), node.public_key.raw)
        net.inject(message, source=source, to=node, drain=False)


def overload(net: Network, node: Node) -> None:
    flood(net, node, 128)
    net.drain(node)
    assert node.device.is_under_load(net.now)


def ask_for_a_cookie(stranger: Stranger) -> bytes:
    """An initiation that is answered with a cookie; from now on the stranger's messages carry mac2."""
    initiation = stranger.noise.create_initiation(stranger.stamp())
    stranger.give(initiation)
    (reply,) = stranger.take()
    stranger.noise.consume_cookie_reply(reply, initiation)
    return reply


# checklist 24
@pytest.mark.parametrize(("waiting", "is_loaded"), [(126, False), (127, True)])
def test_128_waiting_handshake_messages_are_load(net: Network, waiting: int, is_loaded: bool) -> None:
    node = net.node()
    stranger = Stranger(net, node)

    flood(net, node, waiting)
    stranger.give(stranger.noise.create_initiation(stranger.stamp()))

    assert [datagram[0] for datagram in stranger.take()] == [3 if is_loaded else 2]


def test_load_ends_one_second_after_the_queue_was_last_long(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    overload(net, node)

    net.run_for(0.99)
    stranger.give(stranger.noise.create_initiation(stranger.stamp()))
    assert [datagram[0] for datagram in stranger.take()] == [3]

    net.run_for(0.02)
    stranger.give(stranger.noise.create_initiation(stranger.stamp()))
    assert [datagram[0] for datagram in stranger.take()] == [2]


def test_a_flood_fills_the_queue_and_no_more(net: Network) -> None:
    node = net.node()

    flood(net, node, 1500)

    assert node.device.pending_handshakes == 1024
    assert node.drops == {DropReason.HANDSHAKE_QUEUE_FULL: 476}


def test_handshakes_cannot_starve_data(net: Network) -> None:
    a, b = net.established_pair()
    flood(net, b, 1000)
    a.device.send_packet(ip_packet(a.inner, b.inner, b"data"), net.now)
    (output,) = a.device.poll()
    assert isinstance(output, SendDatagram)

    b.device.receive_datagram(output.datagram, a.endpoint, None, net.now)
    outputs = b.device.poll()

    assert any(getattr(output, "packet", b"")[20:] == b"data" for output in outputs)
    assert b.device.pending_handshakes >= 1000 - 256
    assert b.device.next_deadline() == net.now, "the rest is not forgotten"


def test_without_load_a_turn_does_at_most_8_handshakes_and_one_more_with_each_batch(net: Network) -> None:
    node = net.node()
    flood(net, node, 100)

    node.device.poll()
    assert node.device.pending_handshakes == 99
    node.device.advance(net.now)

    assert node.device.pending_handshakes == 91
    assert node.drops[DropReason.BAD_HANDSHAKE] == 9


def test_a_flood_of_forged_mac1s_gets_no_answer_at_all(net: Network) -> None:
    node = net.node()
    for _ in range(1000):
        net.inject(b"\x01\0\0\0" + net.random.randbytes(144), source=ATTACKER, to=node, drain=False)

    net.drain(node)

    assert net.records == []
    assert node.drops == {DropReason.BAD_MAC1: 1000}


# checklist 25
def test_the_limiter_lets_5_through_at_once_and_20_per_second(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    overload(net, node)
    ask_for_a_cookie(stranger)
    before = node.drops[DropReason.RATE_LIMITED]

    for _ in range(50):
        stranger.give(stranger.noise.create_initiation(stranger.stamp()))
    assert node.drops[DropReason.RATE_LIMITED] - before == 45

    overload(net, node)
    before = node.drops[DropReason.RATE_LIMITED]
    for _ in range(90):
        net.run_for(0.01)
        stranger.give(stranger.noise.create_initiation(stranger.stamp()))
    passed = 90 - (node.drops[DropReason.RATE_LIMITED] - before)
    assert 17 <= passed <= 19


def test_without_load_there_is_no_limit(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)

    for _ in range(100):
        stranger.give(stranger.noise.create_initiation(stranger.stamp()))

    assert DropReason.RATE_LIMITED not in node.drops


def test_messages_without_a_valid_mac2_take_no_tokens_from_the_address_they_forge(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    overload(net, node)
    ask_for_a_cookie(stranger)

    flood(net, node, 100, source=stranger.endpoint)
    net.drain(node)
    stranger.take()
    stranger.initiate()

    assert node.handshakes == 1


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.77", "192.0.2.78", False),
    ],
)
def test_an_ipv6_slash_64_and_an_ipv4_address_share_a_bucket(
    net: Network, first: str, second: str, shared: bool
) -> None:
    node = net.node()
    strangers = [Stranger(net, node, number=number) for number in (100, 101)]
    for stranger, host in zip(strangers, (first, second), strict=True):
        stranger.endpoint = Endpoint(host, 40000)
    overload(net, node)
    for stranger in strangers:
        ask_for_a_cookie(stranger)

    for stranger in strangers:
        for _ in range(5):
            stranger.give(stranger.noise.create_initiation(stranger.stamp()))

    assert node.drops[DropReason.RATE_LIMITED] == (5 if shared else 0)


# checklist 26
def test_under_load_a_client_gets_through_with_the_cookie(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    overload(net, node)
    ask_for_a_cookie(stranger)

    stranger.initiate()
    stranger.send(stranger.packet(b"in spite of all"))

    assert node.payloads == [b"in spite of all"]


def test_our_own_initiator_gets_through_a_loaded_responder(net: Network) -> None:
    a, b = net.pair()
    overload(net, b)
    net.forget()

    a.send(b, b"through")
    net.run_for(0.9)
    assert [record.kind for record in net.records] == ["initiation", "cookie"], "the cookie does not hurry the retry"
    for _ in range(50):
        overload(net, b)
        net.run_for(0.1)

    kinds = [record.kind for record in net.records if a in (record.sender, record.receiver)]
    assert kinds == ["initiation", "cookie", "initiation", "response", "data"]
    assert b.payloads == [b"through"]
    assert net.sent("initiation")[1].datagram[-16:] != bytes(16)


def test_a_cookie_is_bound_to_address_and_port(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    overload(net, node)
    ask_for_a_cookie(stranger)
    before = node.drops[DropReason.BAD_MAC2]

    for elsewhere in (stranger.endpoint._replace(port=1), stranger.endpoint._replace(host="203.0.113.9")):
        stranger.give(stranger.noise.create_initiation(stranger.stamp()), source=elsewhere)

    assert node.drops[DropReason.BAD_MAC2] - before == 2
    assert [record.kind for record in net.records[-2:]] == ["cookie", "cookie"]
    assert DropReason.RATE_LIMITED not in node.drops


@pytest.mark.parametrize(("age_s", "answer"), [(119, 2), (121, 3)])
def test_the_responders_secret_lives_120_seconds(net: Network, age_s: float, answer: int) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    overload(net, node)
    ask_for_a_cookie(stranger)

    net.run_for(age_s)
    # No cookie reply renews the secret meanwhile.
    for _ in range(128):
        net.inject(b"\x01\0\0\0" + bytes(144), source=ATTACKER, to=node, drain=False)
    stranger.give(stranger.noise.create_initiation(stranger.stamp()))

    assert [datagram[0] for datagram in stranger.take()] == [answer]


def test_a_new_secret_follows_the_old_one(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)

    for _ in range(3):
        overload(net, node)
        ask_for_a_cookie(stranger)
        stranger.initiate()
        net.run_for(121)

    assert node.handshakes == 3


@pytest.mark.parametrize(("age_s", "is_used"), [(110, True), (121, False)])
def test_the_initiator_uses_a_cookie_for_120_seconds(net: Network, age_s: float, is_used: bool) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.poke()
    (initiation,) = stranger.take()
    stranger.give(stranger.noise.create_cookie_reply(initiation, b"sixteen  bytes  "))
    assert stranger.take() == [], "no immediate retransmission"
    net.run_for(age_s)
    stranger.take()

    stranger.poke()

    net.run_for(6)
    last = stranger.take("initiation")[-1]
    assert (last[-16:] == mac_of(b"sixteen  bytes  ", last[:-16])) is is_used
    assert (last[-16:] == bytes(16)) is not is_used


def test_a_cookie_counts_only_against_our_own_last_mac1_and_once(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.poke()
    (first,) = stranger.take()
    net.run_for(5.4)
    (second,) = stranger.take()
    stale = stranger.noise.create_cookie_reply(first[:4] + second[4:8] + first[8:], b"sixteen  bytes  ")
    good = stranger.noise.create_cookie_reply(second, b"sixteen  bytes  ")

    stranger.give(stranger.noise.create_cookie_reply(first, b"sixteen  bytes  "))
    assert node.drops == {DropReason.UNKNOWN_INDEX: 1}
    stranger.give(stale)
    assert node.drops[DropReason.BAD_COOKIE] == 1
    stranger.give(good)
    stranger.give(good)
    assert node.drops[DropReason.UNEXPECTED_COOKIE] == 1


def test_a_cookie_reply_encrypted_by_somebody_else_is_dropped(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.poke()
    (ours,) = stranger.take()
    nonce = bytes(24)
    forged = xseal(hash_of(b"cookie--" + node.public_key.raw), nonce, bytes(16), ours[-32:-16])

    stranger.give(b"\x03\0\0\0" + ours[4:8] + nonce + forged)

    assert node.drops == {DropReason.BAD_COOKIE: 1}


def test_under_load_a_response_needs_mac2_as_well_and_its_sender_takes_the_cookie(net: Network) -> None:
    a, b = net.pair()
    a.send(b, b"x")
    overload(net, a)
    net.run_for(0.1)

    assert [record.kind for record in net.records if b in (record.sender, record.receiver)] == [
        "initiation",
        "response",
        "cookie",
    ]
    net.run_for(6)
    assert b.payloads == [b"x"]
    assert b.drops == {}
