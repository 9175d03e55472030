# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Endpoints follow whoever proves to be the peer, and nobody else; checklist 33."""

from __future__ import annotations

import pytest
from support.net import Network
from support.packets import ip_packet
from support.stranger import Stranger
from wirefleet_agent.core import DeliverPacket, SendDatagram
from wirefleet_agent.drops import DropReason
from wirefleet_agent.wire import Endpoint, LocalAddress

ELSEWHERE = Endpoint("198.51.100.66", 666)


# checklist 33
def test_a_peer_is_followed_from_ipv4_to_ipv6_to_another_port(net: Network) -> None:
    a, b = net.established_pair()

    for number, (host, port) in enumerate([("2001:db8::7", 51820), ("2001:db8::7", 4444), ("198.51.100.7", 4444)]):
        a.move_to(host, port)
        a.send(b, b"there %d" % number)
        net.run_for(0.1)
        assert b.peer(a).endpoint == Endpoint(host, port)
        b.send(a, b"back %d" % number)
        net.run_for(0.1)

    assert b.payloads == [b"there 0", b"there 1", b"there 2"]
    assert a.payloads == [b"back 0", b"back 1", b"back 2"]
    assert net.count("initiation") == 0


def test_both_sides_may_move_as_long_as_one_is_found(net: Network) -> None:
    a, b = net.established_pair()
    b.move_to("198.51.100.8")
    b.send(a, b"b moved")
    net.run_for(0.1)
    a.move_to("198.51.100.7")
    a.send(b, b"a moved")
    net.run_for(0.1)

    assert (a.payloads, b.payloads) == ([b"b moved"], [b"a moved"])


@pytest.mark.parametrize("plaintext", ["keepalive", "data", "wrong inner source", "rubbish"])
def test_any_authenticated_transport_message_roams(net: Network, plaintext: str) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()
    inner = {
        "keepalive": b"",
        "data": stranger.packet(),
        "wrong inner source": stranger.packet(inner_source="192.0.2.99"),
        "rubbish": b"\xff" * 16,
    }[plaintext]

    stranger.send(inner, source=ELSEWHERE)

    assert stranger.peer.endpoint == ELSEWHERE


def test_authenticated_handshake_messages_roam(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)

    stranger.give(stranger.noise.create_initiation(stranger.stamp()), source=ELSEWHERE)
    assert stranger.peer.endpoint == ELSEWHERE
    assert net.records[-1].destination == ELSEWHERE

    stranger.endpoint = ELSEWHERE
    stranger.poke()
    net.run_for(6)
    stranger.noise.consume_initiation(stranger.take("initiation")[-1])
    home = ELSEWHERE._replace(port=7)
    stranger.give(stranger.noise.create_response(), source=home)
    assert stranger.peer.endpoint == home


def test_nothing_forged_or_replayed_roams(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    initiation = stranger.noise.create_initiation(stranger.stamp())
    stranger.give(initiation)
    stranger.noise.consume_response(stranger.take()[0])
    data = stranger.send(stranger.packet())
    net.run_for(1)

    for datagram in (initiation, data, data[:-1] + b"\0", initiation[:-1], b"", data[:31]):
        stranger.give(datagram, source=ELSEWHERE)

    assert stranger.peer.endpoint == stranger.endpoint
    assert sum(node.drops.values()) == 6


def test_a_cookie_reply_does_not_roam(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.poke()
    (initiation,) = stranger.take()

    stranger.give(stranger.noise.create_cookie_reply(initiation, bytes(16)), source=ELSEWHERE)

    assert stranger.peer.endpoint == stranger.endpoint
    assert not stranger.peer.cookies.is_reply_expected, "though it was taken"
    assert not node.drops


def test_the_last_authenticated_packet_decides_also_for_the_source_address(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()
    local = LocalAddress("192.0.2.200", 7)

    net.inject(stranger.noise.seal_data(9, stranger.packet()), source=ELSEWHERE, to=node, local=local)
    stranger.poke()

    assert stranger.peer.local == local
    node.device.clear_sticky_sources()
    assert stranger.peer.local is None


def test_setting_an_endpoint_forgets_the_sticky_source(net: Network) -> None:
    a, b = net.established_pair()
    assert a.peer(b).local is not None

    a.device.set_endpoint(a.peer(b), ELSEWHERE, net.now)

    assert a.peer(b).local is None


def test_a_peer_without_an_endpoint_is_not_written_to_until_it_comes(net: Network) -> None:
    a, b = net.node(), net.node()
    a.configure(b)
    b.configure(a, endpoint=False)

    b.send(a)
    assert b.drops == {DropReason.NO_ENDPOINT: 1}
    assert net.records == []

    a.send(b, b"here I am")
    net.run_for(0.1)
    b.send(a, b"welcome")
    net.run_for(0.1)
    assert a.payloads == [b"welcome"]


def test_a_keepalive_holds_a_nat_open_and_a_rebind_heals_within_one_interval(net: Network) -> None:
    a, b = net.node("a"), net.node("b")
    nat = net.nat(a, "203.0.113.1")
    b.configure(a, endpoint=False)
    a.configure(b, keepalive_s=25)
    net.run_for(1)

    for number in range(20):
        b.send(a, b"%d" % number)
        net.run_for(1)
        assert a.payloads[-1:] == [b"%d" % number]
        nat.rebind()
        net.run_for(26)
        assert b.peer(a).endpoint == nat.public

    b.send(a, b"last")
    net.run_for(1)
    assert a.payloads[-1] == b"last"


def test_the_peer_of_a_removed_peer_learns_nothing(net: Network) -> None:
    a, b = net.established_pair()
    b.device.remove_peer(a.public_key, net.now)

    a.send(b)
    net.run_for(60)

    assert net.sent(sender=b) == []
    assert b.delivered == []
    assert b.drops[DropReason.UNKNOWN_INDEX] == 1
    assert b.drops[DropReason.UNKNOWN_PEER] == net.count("initiation", sender=a) > 0


def test_outputs_name_the_peer_and_the_packets_keep_their_order(net: Network) -> None:
    a, b = net.established_pair()
    for number in range(5):
        a.device.send_packet(ip_packet(a.inner, b.inner, b"%d" % number), net.now)

    outputs = a.device.poll()

    assert all(isinstance(output, SendDatagram) and output.peer is a.peer(b) for output in outputs)
    for output in outputs:
        assert isinstance(output, SendDatagram)
        b.device.receive_datagram(output.datagram, a.endpoint, None, net.now)
    delivered = [output for output in b.device.poll() if isinstance(output, DeliverPacket)]
    assert [output.packet for output in delivered] == [
        ip_packet(a.inner, b.inner, b"%d" % number) for number in range(5)
    ]
    assert {output.peer for output in delivered} == {b.peer(a)}
