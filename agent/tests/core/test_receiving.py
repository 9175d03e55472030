# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The handshake queue and its defences, and what authenticated packets may change."""

from __future__ import annotations

import ipaddress

from support.net import Network, Node
from support.packets import ip_packet
from wirefleet_agent.core import SendDatagram
from wirefleet_agent.core.constants import (
    HANDSHAKE_QUEUE_MESSAGES,
    HANDSHAKES_PER_POLL,
    HANDSHAKES_PER_STEP,
    UNDER_LOAD_MESSAGES,
)
from wirefleet_agent.drops import DropReason
from wirefleet_agent.wire import Endpoint

ATTACKER = Endpoint("203.0.113.66", 6666)
JUNK = b"\1\0\0\0" + bytes(144)


def flood(net: Network, victim: Node, count: int = UNDER_LOAD_MESSAGES, datagram: bytes = JUNK) -> None:
    """Put ``count`` messages into the victim's queue at one moment, then let it work them off."""
    for _ in range(count):
        net.inject(datagram, source=ATTACKER, to=victim, drain=False)
    net.drain(victim)


# checklist 24
def test_a_queue_of_128_means_under_load_for_a_second(net: Network) -> None:
    _, b = net.pair()

    flood(net, b, UNDER_LOAD_MESSAGES - 1)
    assert not b.device.is_under_load(net.now)
    flood(net, b)

    assert b.device.is_under_load(net.now)
    assert b.device.is_under_load(net.now + 0.99)
    assert not b.device.is_under_load(net.now + 1)
    assert b.drops[DropReason.BAD_MAC1] == 2 * UNDER_LOAD_MESSAGES - 1


# checklist 24, 26
def test_under_load_a_cookie_comes_first_and_then_the_session(net: Network) -> None:
    a, b = net.pair()
    flood(net, b)

    a.send(b, b"patience")
    net.run_for(0.5)
    assert [record.kind for record in net.records] == ["initiation", "cookie"]
    assert b.drops[DropReason.BAD_MAC2] == 1
    net.run_for(4.3)
    flood(net, b)
    net.run_for(1)

    assert [record.kind for record in net.records] == ["initiation", "cookie", "initiation", "response", "data"]
    assert b.payloads == [b"patience"]


# checklist 25
def test_under_load_a_source_with_a_cookie_is_still_limited(net: Network) -> None:
    a, b = net.pair()
    flood(net, b)
    a.send(b)
    net.run_for(5.5)
    initiation = net.sent("initiation")[-1].datagram
    assert initiation[-16:] != bytes(16)

    flood(net, b)
    for _ in range(10):
        net.inject(initiation, source=a.endpoint, to=b)

    assert b.drops[DropReason.RATE_LIMITED] == 5
    assert b.drops[DropReason.REPLAYED_INITIATION] == 5


# checklist 24
def test_the_queue_is_bounded(net: Network) -> None:
    _, b = net.pair()

    flood(net, b, HANDSHAKE_QUEUE_MESSAGES + 7)

    assert b.drops[DropReason.HANDSHAKE_QUEUE_FULL] == 7


# checklist 24
def test_one_step_does_a_bounded_number_of_handshakes(net: Network) -> None:
    a, b = net.pair()
    a.send(b)
    initiation = net.sent("initiation")[0].datagram
    for _ in range(3 * HANDSHAKES_PER_STEP):
        net.inject(initiation, source=ATTACKER, to=b, drain=False)

    b.device.advance(net.now)
    assert b.device.pending_handshakes == 2 * HANDSHAKES_PER_STEP
    assert b.device.next_deadline() == net.now
    b.device.poll()
    assert b.device.pending_handshakes == 2 * HANDSHAKES_PER_STEP - HANDSHAKES_PER_POLL


# checklist 33
def test_a_packet_that_fails_the_source_check_still_moves_the_endpoint(net: Network) -> None:
    a, b = net.established_pair()
    a.move_to("198.51.100.5", 555)
    a.device.send_packet(ip_packet("10.99.99.99", b.inner, b"not my address"), net.now)
    net.drain(a)

    net.run_for(1)

    assert b.drops[DropReason.WRONG_SOURCE] == 1
    assert b.payloads == []
    assert b.peer(a).endpoint == a.endpoint


# checklist 30
def test_a_peer_cannot_use_another_peers_address(net: Network) -> None:
    hub, good, bad = net.node("hub"), net.node("good"), net.node("bad")
    net.connect(good, hub)
    net.connect(bad, hub)
    bad.device.send_packet(ip_packet(good.inner, hub.inner, b"as good"), net.now)
    bad.device.send_packet(ip_packet(good.inner6, hub.inner6, b"as good"), net.now)
    net.drain()

    net.run_for(1)

    assert hub.payloads == []
    assert hub.drops[DropReason.WRONG_SOURCE] == 2


# checklist 33
def test_a_cookie_reply_does_not_move_the_endpoint(net: Network) -> None:
    a, b = net.pair()
    flood(net, b)
    net.filters.append(lambda record: record.kind != "cookie")
    a.send(b)
    net.run_for(0.5)

    net.inject(net.sent("cookie")[0].datagram, source=ATTACKER, to=a)

    assert a.peer(b).endpoint == b.endpoint


# checklist 26
def test_a_cookie_reply_is_taken_once_and_only_unspoiled(net: Network) -> None:
    a, b = net.pair()
    flood(net, b)
    net.filters.append(lambda record: record.kind != "cookie")
    a.send(b)
    net.run_for(0.5)
    cookie = net.sent("cookie")[0].datagram
    spoiled = cookie[:40] + bytes([cookie[40] ^ 1]) + cookie[41:]
    elsewhere = cookie[:4] + bytes([cookie[4] ^ 1]) + cookie[5:]

    for datagram in (spoiled, elsewhere, cookie, cookie):
        net.inject(datagram, source=b.endpoint, to=a)

    assert a.drops == {
        DropReason.BAD_COOKIE: 1,
        DropReason.UNKNOWN_INDEX: 1,
        DropReason.UNEXPECTED_COOKIE: 1,
    }


# checklist 8
def test_a_repeated_response_is_unexpected_and_harmless(net: Network) -> None:
    a, b = net.pair()
    a.send(b)
    net.run_for(0.5)
    response = net.sent("response")[0].datagram

    net.inject(response, source=ATTACKER, to=a)
    net.inject(response[:8] + b"\xff\xff\xff\xff" + response[12:], source=ATTACKER, to=a)

    assert a.drops[DropReason.UNEXPECTED_RESPONSE] == 1
    assert a.drops[DropReason.BAD_MAC1] == 1
    assert a.peer(b).endpoint == b.endpoint


def test_an_initiation_of_a_stranger_is_counted(net: Network) -> None:
    a, b = net.node("a"), net.node("b")
    a.configure(b)

    a.send(b)
    net.run_for(1)

    assert b.drops[DropReason.UNKNOWN_PEER] == 1
    assert net.count("response") == 0


def test_a_response_to_a_handshake_that_is_gone_has_an_unknown_index(net: Network) -> None:
    a, b = net.pair()
    a.send(b)
    net.run_for(0.006)
    a.device.down(net.now)
    a.device.up(net.now)

    net.run_for(0.1)

    assert a.drops[DropReason.UNKNOWN_INDEX] == 1


# checklist 29
def test_bad_inner_packets_are_dropped_after_authentication(net: Network) -> None:
    a, b = net.established_pair()
    session = a.peer(b).sessions.current
    assert session is not None
    good = ip_packet(a.inner, b.inner, b"x" * 12)
    for counter, inner in enumerate([b"\x50" + bytes(31), good[:2] + b"\xff\xff" + good[4:], good + bytes(16)], 50):
        sealed = session.send_aead.encrypt(bytes(4) + counter.to_bytes(8, "little"), inner, None)
        header = b"\4\0\0\0" + session.remote_index.to_bytes(4, "little") + counter.to_bytes(8, "little")
        net.inject(header + sealed, source=ATTACKER, to=b)

    assert b.drops == {DropReason.BAD_PACKET_VERSION: 1, DropReason.BAD_PACKET_LENGTH: 1}
    assert b.payloads == [b"x" * 12]
    assert b.peer(a).endpoint == ATTACKER


def test_a_hub_serves_many_peers_at_once(net: Network) -> None:
    hub = net.node("hub")
    spokes = [net.node() for _ in range(20)]
    for spoke in spokes:
        net.connect(spoke, hub, keepalive_s=25)

    net.run_for(200)
    for spoke in spokes:
        hub.send(spoke, spoke.name.encode())
    net.run_for(1)

    assert all(spoke.payloads == [spoke.name.encode()] for spoke in spokes)
    assert len({ipaddress.ip_address(spoke.inner) for spoke in spokes}) == 20
    assert not hub.drops


def test_an_initiation_that_had_to_wait_for_a_response_is_made_up_for(net: Network) -> None:
    a, b = net.pair()
    net.cut(b, a, one_way=True)
    a.send(b)
    net.run_for(0.1)  # b has answered, and its answer was lost
    a.kill()
    net.mend(a, b)
    b.send(a, b"from b")
    assert net.count("initiation", sender=b) == 0

    net.run_for(4.8)
    assert net.count("initiation", sender=b) == 0
    a.is_dead = False
    net.run_for(1)

    assert a.payloads == [b"from b"]


def test_outputs_of_a_flood_go_back_where_it_came_from(net: Network) -> None:
    a, b = net.pair()
    a.send(b)
    initiation = net.sent("initiation")[0].datagram
    for _ in range(UNDER_LOAD_MESSAGES):
        b.device.receive_datagram(initiation, ATTACKER, None, net.now)

    outputs = [output for _ in range(UNDER_LOAD_MESSAGES) for output in b.device.poll()]

    assert all(isinstance(output, SendDatagram) for output in outputs)
    assert {(output.endpoint, output.peer) for output in outputs} == {(ATTACKER, None)}  # type: ignore[union-attr]
