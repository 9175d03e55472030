# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What is left of a group when the peer that its prefixes are of goes, or the prefixes do."""

from __future__ import annotations

import ipaddress

import pytest
from support.net import Network
from support.packets import ip_packet
from support.stars import Relayed
from wirefleet_agent.drops import DropReason


@pytest.fixture
def relayed(net: Network) -> Relayed:
    return Relayed(net)


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
