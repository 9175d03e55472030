# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Groups with a direct member: the one that the prefixes are of, while the others forward."""

from __future__ import annotations

import ipaddress

import pytest
from support.net import Network
from support.packets import ip_packet
from support.stars import Relayed, Star
from wirefleet_agent.drops import DropReason


@pytest.fixture
def star(net: Network) -> Star:
    return Star(net)


@pytest.fixture
def relayed(net: Network) -> Relayed:
    return Relayed(net)


@pytest.mark.parametrize("elsewhere", ["10.86.7.7", "fd86::7:7"])
def test_what_we_send_ourselves_goes_to_the_direct_member(net: Network, relayed: Relayed, elsewhere: str) -> None:
    hub, other, spoke = relayed.hub, relayed.other, relayed.spoke
    own = hub.inner6 if ":" in elsewhere else hub.inner
    other.device.allowed_ips.insert(ipaddress.ip_network(elsewhere), other.peer(hub))
    spoke.device.allowed_ips.insert(ipaddress.ip_network(elsewhere), spoke.peer(hub))

    relayed.forward(elsewhere, b"direct as well")
    hub.device.switch(relayed.group, other.public_key, net.now)
    relayed.forward(own, b"own")
    relayed.forward(elsewhere, b"forwarded")
    hub.device.switch(relayed.group, spoke.public_key, net.now)
    relayed.forward(elsewhere, b"direct again")

    assert spoke.payloads == [b"direct as well", b"own", b"direct again"]
    assert other.payloads == [b"forwarded"]


def test_without_a_direct_member_our_own_packets_go_to_the_active_one(net: Network, star: Star) -> None:
    star.spoke.device.own_addresses = frozenset({ipaddress.ip_address(star.spoke.inner).packed})
    star.switch(star.hubs[1])

    star.send(b"own")
    net.settle()

    assert star.hubs[1].payloads == [b"own"]


def test_own_packets_of_a_hub_wait_for_the_spoke_and_for_nobody_else(net: Network, relayed: Relayed) -> None:
    hub, other, spoke = relayed.hub, relayed.other, relayed.spoke
    hub.device.start_handshake(hub.peer(spoke), net.now)
    hub.peer(spoke).sessions.wipe()
    spoke.kill()
    relayed.forward(hub.inner, b"own")
    relayed.forward("10.86.7.7", b"forwarded")
    assert hub.peer(spoke).staged_packets == 2

    hub.device.switch(relayed.group, other.public_key, net.now)

    assert hub.peer(spoke).staged_packets == 1
    assert hub.peer(spoke).next_staged().endswith(b"own")


def test_a_group_whose_direct_member_is_removed_ends(net: Network, relayed: Relayed) -> None:
    relayed.hub.device.remove_peer(relayed.spoke.public_key, net.now)

    assert not relayed.hub.device.groups
    assert relayed.group.members == relayed.group.prefixes == ()


def test_nothing_is_sent_to_a_removed_spoke_over_another_hub(net: Network, relayed: Relayed) -> None:
    """The other hub removes it too, and has nowhere but us to send it to: the packet would go in circles."""
    relayed.hub.device.remove_peer(relayed.spoke.public_key, net.now)

    relayed.forward(relayed.other.inner, b"into the void")

    assert relayed.other.payloads == []
    assert relayed.hub.drops[DropReason.NO_ROUTE_TO_PEER] == 1


def test_nobody_speaks_for_a_removed_spoke(net: Network, relayed: Relayed) -> None:
    """A revoked key must not live on in the permission of others to send from its addresses."""
    relayed.hub.device.remove_peer(relayed.spoke.public_key, net.now)

    packet = ip_packet(relayed.spoke.inner, relayed.hub.inner, b"as if nothing had happened")
    relayed.other.device.send_packet(packet, net.now)
    net.drain()
    net.settle()

    assert relayed.hub.payloads == []
    assert relayed.hub.drops[DropReason.WRONG_SOURCE] == 1


def test_packets_that_wait_at_the_direct_member_follow_their_prefix_to_another_group(
    net: Network, relayed: Relayed
) -> None:
    """Those that wait at the active member do."""
    hub, spoke, other, now = relayed.hub.device, relayed.spoke, relayed.other, net.now
    hub.switch(relayed.group, other.public_key, now)
    direct = relayed.hub.peer(spoke)
    direct.sessions.wipe()
    direct.may_initiate_at = now + 60
    hub.send_packet(ip_packet(relayed.hub.inner, spoke.inner, b"from the hub itself"), now)
    assert direct.staged_packets == 1

    hub.set_group("site", [other.public_key], [ipaddress.ip_network(spoke.inner)], active=other.public_key, now=now)

    assert direct.staged_packets == 0
