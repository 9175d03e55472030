# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Devices on the in-memory network: what an operator would see."""

from __future__ import annotations

from support.net import Network
from wirefleet_agent.drops import DropReason
from wirefleet_agent.keys import PresharedKey


def test_the_first_packet_arrives_after_one_handshake(net: Network) -> None:
    a, b = net.pair()

    a.send(b, b"hello")
    net.run_for(1)

    assert b.payloads == [b"hello"]
    assert [record.kind for record in net.records] == ["initiation", "response", "data"]
    assert a.has_session(b)
    assert b.has_session(a)


def test_both_families_travel_both_ways(net: Network) -> None:
    a, b = net.established_pair(psk=PresharedKey(bytes(range(32))))

    a.send(b, b"v4")
    a.send(b, b"v6", ipv6=True)
    b.send(a, b"back", ipv6=True)
    net.run_for(1)

    assert b.payloads == [b"v4", b"v6"]
    assert a.payloads == [b"back"]
    assert not a.drops
    assert not b.drops


def test_a_wrong_preshared_key_never_makes_a_session(net: Network) -> None:
    a, b = net.node("a"), net.node("b")
    b.configure(a, psk=PresharedKey(bytes([1]) * 32))
    a.configure(b, psk=PresharedKey(bytes([2]) * 32))

    a.send(b)
    net.run_for(20)

    assert not a.has_session(b)
    assert a.drops[DropReason.BAD_HANDSHAKE] == net.count("response")


def test_traffic_crosses_rekeys_without_loss(net: Network) -> None:
    a, b = net.established_pair()

    for number in range(400):
        a.send(b, b"%d" % number)
        b.send(a, b"%d" % number)
        net.run_for(1)

    expected = [b"%d" % number for number in range(400)]
    assert b.payloads == expected
    assert a.payloads == expected
    assert net.count("initiation", sender=a) == 3
    assert net.count("initiation", sender=b) == 0


def test_a_lossy_reordering_duplicating_link_never_delivers_twice(net: Network) -> None:
    a, b = net.pair()
    net.link(a, b, loss=0.2, duplicate=0.2, jitter_s=0.2)

    for number in range(500):
        a.send(b, b"%d" % number)
        net.run_for(0.1)

    assert len(b.payloads) > 250
    assert len(set(b.payloads)) == len(b.payloads)
    assert b.drops[DropReason.REPLAYED] > 0


def test_a_restarted_responder_is_found_again(net: Network) -> None:
    a, b = net.established_pair()
    b.restart()

    for _ in range(40):
        a.send(b, b"again")
        net.run_for(1)

    assert b.payloads
    assert a.has_session(b)


def test_a_peer_that_roams_is_followed(net: Network) -> None:
    a, b = net.established_pair()

    a.move_to("198.51.100.7", 1234)
    a.send(b, b"from elsewhere")
    net.run_for(1)
    b.send(a, b"answer")
    net.run_for(1)

    assert b.peer(a).endpoint == a.endpoint
    assert a.payloads == [b"answer"]


def test_a_keepalive_holds_the_nat_open_and_a_rebind_heals(net: Network) -> None:
    a, b = net.node("a"), net.node("b")
    nat = net.nat(a, "203.0.113.1")
    b.configure(a, endpoint=False)
    a.configure(b, keepalive_s=25)
    net.run_for(60)
    nat.rebind()
    net.run_for(26)

    b.send(a, b"in")
    net.run_for(1)

    assert a.payloads == [b"in"]


def test_silence_for_nine_minutes_wipes_the_keys(net: Network) -> None:
    a, b = net.established_pair()
    net.run_for(539)
    assert a.peer(b).sessions.current is not None

    net.run_for(2)

    assert a.peer(b).sessions.current is None
    assert b.peer(a).sessions.current is None
    assert a.device.next_deadline() is None


def test_a_dead_peer_gets_twenty_initiations_and_then_silence(net: Network) -> None:
    a, b = net.pair()
    b.kill()

    a.send(b)
    net.run_for(500)

    assert net.count("initiation") == 20
    assert a.drops[DropReason.STAGED_EXPIRED] == 1


def test_simultaneous_initiation_converges(net: Network) -> None:
    a, b = net.pair()

    a.send(b, b"from a")
    b.send(a, b"from b")
    net.run_for(12)

    assert a.payloads == [b"from b"]
    assert b.payloads == [b"from a"]
