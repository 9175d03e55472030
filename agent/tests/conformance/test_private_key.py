# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A change of our own key while peers, sessions and handshakes exist; checklist 17."""

from __future__ import annotations

from support.net import Network
from support.stranger import Stranger
from wirefleet_agent.drops import DropReason
from wirefleet_agent.keys import PrivateKey


# checklist 17
def test_after_a_private_key_change_traffic_flows_at_once(net: Network) -> None:
    a, b = net.established_pair()
    new = PrivateKey(bytes(range(32)))
    old_public = a.public_key
    b.device.remove_peer(old_public, net.now)

    a.private_key = new
    a.device.set_private_key(new, net.now)
    net.drain(a)
    b.configure(a)
    a.send(b, b"at once")
    net.run_for(0.1)

    assert b.payloads == [b"at once"]
    assert [record.kind for record in net.records] == ["initiation", "response", "data"]
    b.send(a, b"back")
    net.run_for(0.1)
    assert a.payloads == [b"back"]


def test_after_a_private_key_change_old_sessions_receive_but_do_not_send(net: Network) -> None:
    a, b = net.established_pair()
    a.device.set_private_key(PrivateKey(bytes(range(32))), net.now)

    b.send(a, b"under way")
    net.run_for(0.1)
    a.send(b, b"must not leave")

    assert a.payloads == [b"under way"]
    assert net.count("data", sender=a) == 0


def test_a_peer_that_equals_the_new_self_is_removed(net: Network) -> None:
    a, b = net.established_pair()
    c = net.node()
    a.configure(c)

    a.device.set_private_key(b.private_key, net.now)

    assert list(a.device.peers) == [c.public_key]
    assert a.device.allowed_ips.lookup(bytes([10, 86, 0, 2])) is None
    assert len(a.device._environment.indices) == 0


def test_setting_the_same_private_key_again_disturbs_nothing(net: Network) -> None:
    a, b = net.established_pair()

    a.device.set_private_key(PrivateKey(a.private_key.reveal_bytes()), net.now)
    a.send(b, b"still")
    net.run_for(0.1)

    assert b.payloads == [b"still"]
    assert net.count("initiation") == 0


def test_without_a_private_key_nothing_is_answered(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.initiate()
    initiation = stranger.noise.create_initiation(stranger.stamp())
    node.device.set_private_key(PrivateKey(bytes(32)), net.now)

    stranger.poke()
    stranger.give(initiation)
    net.run_for(1)

    assert node.device.public_key is None
    assert stranger.take() == []
    assert node.drops == {DropReason.BAD_MAC1: 1}


def test_a_key_change_between_two_halves_of_a_handshake_voids_it(net: Network) -> None:
    node = net.node()
    stranger = Stranger(net, node)
    stranger.poke()
    (initiation,) = stranger.take()
    stranger.noise.consume_initiation(initiation)
    response = stranger.noise.create_response()

    node.device.set_private_key(PrivateKey(bytes(range(32))), net.now)
    stranger.give(response)

    assert node.drops == {DropReason.BAD_MAC1: 1}
    assert not stranger.peer.has_session(net.now)
