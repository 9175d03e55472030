# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Packets that wait for a session at a member of a group: whom they go to when that changes."""

from __future__ import annotations

import ipaddress

from support.net import Network
from support.packets import ip_packet
from support.stars import BEHIND6, Star
from wirefleet_agent.core.constants import STAGED_PACKETS
from wirefleet_agent.drops import DropReason


def test_what_waits_at_a_dead_member_goes_to_the_new_active_one_in_order(net: Network) -> None:
    star = Star(net, is_warm=False)
    star.hubs[0].kill()
    for number in range(10):
        star.send(bytes([number]))
        star.send(bytes([number]), to=BEHIND6)
    assert star.peers[0].staged_packets == 20

    star.switch(star.hubs[1])
    star.send(b"last")
    net.run_for(0.1)

    assert star.peers[0].staged_packets == 0
    assert star.hubs[1].payloads == [bytes([number // 2]) for number in range(20)] + [b"last"]
    assert not star.spoke.drops


def test_what_waits_is_sent_at_once_if_the_new_member_has_a_session(net: Network) -> None:
    star = Star(net, is_warm=False)
    star.spoke.send(star.hubs[1])
    net.run_for(0.1)
    net.forget()
    star.hubs[0].kill()
    star.send(b"waits")

    star.switch(star.hubs[1])
    net.settle()

    assert star.hubs[1].payloads == [b"waits"]


def test_what_waits_for_the_member_itself_stays_with_it(net: Network) -> None:
    star = Star(net, is_warm=False)
    star.send(b"group")
    star.send(b"its own", to=star.hubs[0].inner)
    probe = ip_packet(star.spoke.inner, star.hubs[2].inner, b"probe")
    star.spoke.device.send_to_peer(star.peers[0], probe, net.now)

    star.switch(star.hubs[1])
    net.run_for(0.1)

    assert star.hubs[0].payloads == [b"its own", b"probe"]
    assert star.hubs[1].payloads == [b"group"]
    assert star.hubs[2].payloads == []


def test_what_waits_stays_if_the_new_member_cannot_be_sent_anything(net: Network) -> None:
    star = Star(net, is_warm=False)
    star.spoke.device.set_endpoint(star.peers[1], None, net.now)
    star.send(b"waits")

    star.spoke.device.switch(star.group, star.keys[1], net.now)
    net.run_for(0.1)

    assert star.hubs[0].payloads == [b"waits"]
    assert not star.spoke.drops


def test_what_waits_at_a_peer_that_is_removed_is_not_lost(net: Network) -> None:
    star = Star(net, is_warm=False)
    star.hubs[0].kill()
    star.send(b"waits")

    star.spoke.device.remove_peer(star.keys[0], net.now)
    net.run_for(0.1)

    assert star.hubs[1].payloads == [b"waits"]
    assert not star.spoke.drops


def test_what_waits_at_a_peer_whose_prefix_becomes_a_groups_goes_with_it(net: Network) -> None:
    star = Star(net, is_warm=False)
    wide = ipaddress.ip_network("192.168.0.0/16")
    star.spoke.device.allowed_ips.insert(wide, star.peers[0])
    star.hubs[0].kill()
    star.send(b"waits", to="192.168.1.1")

    star.spoke.device.set_group("sites", star.keys[:2], [wide], active=star.keys[1], now=net.now)
    net.run_for(0.1)

    assert star.hubs[1].payloads == [b"waits"]


def test_too_many_that_wait_at_both_are_counted(net: Network) -> None:
    star = Star(net, is_warm=False)
    for hub in star.hubs[:2]:
        hub.kill()
    for _ in range(STAGED_PACKETS):
        star.send()
        star.send(to=star.hubs[1].inner)

    star.switch(star.hubs[1])

    assert star.peers[0].staged_packets == 0
    assert star.peers[1].staged_packets == STAGED_PACKETS
    assert star.spoke.drops == {DropReason.STAGED_OVERFLOW: STAGED_PACKETS}
