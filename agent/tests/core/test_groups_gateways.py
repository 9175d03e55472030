# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Groups whose prefixes are of several members: the gateways of a site, one of which is direct."""

from __future__ import annotations

import ipaddress

import pytest
from support.net import Network, Node
from support.packets import ip_packet
from wirefleet_agent.core import Group
from wirefleet_agent.drops import DropReason

LAN = ipaddress.ip_network("10.1.0.0/16")
LAN_HOST = "10.1.0.50"
ELSEWHERE = "10.86.7.7"


class Site:
    """A hub, two gateways of a LAN and another hub, all with sessions. Gateways take from anybody what comes."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.hub, self.other = net.node("hub"), net.node("other")
        self.one, self.two = net.node("one"), net.node("two")
        for node in (self.other, self.one, self.two):
            net.connect(node, self.hub)
            node.device.allowed_ips.insert(ipaddress.ip_network("10.86.7.0/24"), node.peer(self.hub))
            node.send(self.hub)
        net.run_for(0.1)
        self.hub.device.own_addresses = frozenset({ipaddress.ip_address(self.hub.inner).packed})
        keys = [node.public_key for node in (self.one, self.two, self.other)]
        self.group: Group = self.hub.device.set_group(
            "site", keys, [LAN], active=keys[0], direct=keys[0], gateways=keys[:2], now=net.now
        )
        net.forget()

    def send(self, payload: bytes, *, source: str = ELSEWHERE) -> None:
        self.hub.device.send_packet(ip_packet(source, LAN_HOST, payload), self.net.now)
        self.net.drain()
        self.net.settle()

    def switch(self, to: Node, direct: Node | None = None) -> None:
        key = None if direct is None else direct.public_key
        self.hub.device.switch(self.group, to.public_key, self.net.now, direct=key)
        self.net.drain()
        self.net.settle()


@pytest.fixture
def site(net: Network) -> Site:
    return Site(net)


def test_own_packets_go_to_the_gateway_in_use_and_all_others_where_the_group_points(site: Site) -> None:
    site.switch(site.other, direct=site.two)
    site.send(b"forwarded")
    site.send(b"own", source=site.hub.inner)
    site.switch(site.two)
    site.send(b"back")

    assert site.other.payloads == [b"forwarded"]
    assert site.two.payloads == [b"own", b"back"]
    assert site.one.payloads == []


def test_the_lans_packets_are_taken_from_every_gateway_and_every_hub_and_nobody_else(net: Network, site: Site) -> None:
    stranger = net.node("stranger")
    net.connect(stranger, site.hub)
    for node in (site.one, site.two, site.other, stranger):
        node.device.send_packet(ip_packet(LAN_HOST, site.hub.inner, node.name.encode()), net.now)
        net.drain()
        net.settle()

    assert site.hub.payloads == [b"one", b"two", b"other"]
    assert site.hub.drops[DropReason.WRONG_SOURCE] == 1


def test_a_removed_gateway_leaves_the_lan_to_the_other_one(net: Network, site: Site) -> None:
    site.hub.device.remove_peer(site.one.public_key, net.now)

    site.send(b"forwarded")
    site.send(b"own", source=site.hub.inner)

    assert site.two.payloads == [b"forwarded", b"own"]
    assert [peer.public_key for peer in site.group.gateways] == [site.two.public_key]


def test_a_removed_gateway_that_was_not_in_use_changes_nothing(net: Network, site: Site) -> None:
    site.switch(site.other)

    site.hub.device.remove_peer(site.two.public_key, net.now)

    assert (site.group.active.public_key, site.group.is_relayed) == (site.other.public_key, True)
    assert [peer.public_key for peer in site.group.members] == [site.one.public_key, site.other.public_key]


def test_without_gateways_the_group_ends(net: Network, site: Site) -> None:
    """The other hub would only send the packets back, and could speak in the LAN's name."""
    for node in (site.two, site.one):
        site.hub.device.remove_peer(node.public_key, net.now)

    assert not site.hub.device.groups
    assert site.group.members == site.group.gateways == site.group.prefixes == ()


def test_packets_that_wait_go_with_the_switch(net: Network, site: Site) -> None:
    """Those of others to where the group points, our own ones to the new gateway."""
    waiting = site.hub.peer(site.one)
    waiting.sessions.wipe()
    site.one.kill()
    site.send(b"forwarded")
    site.send(b"own", source=site.hub.inner)
    assert waiting.staged_packets == 2

    site.switch(site.other, direct=site.two)

    assert waiting.staged_packets == 0
    assert site.other.payloads == [b"forwarded"]
    assert site.two.payloads == [b"own"]


def test_own_packets_that_wait_go_to_the_new_gateway_while_all_others_stay_with_a_hub(net: Network, site: Site) -> None:
    site.switch(site.other)
    waiting = site.hub.peer(site.one)
    waiting.sessions.wipe()
    site.one.kill()
    site.send(b"own", source=site.hub.inner)
    assert waiting.staged_packets == 1

    site.switch(site.other, direct=site.two)

    assert site.two.payloads == [b"own"]


def test_a_switch_to_no_gateway_is_refused_and_changes_nothing(net: Network, site: Site) -> None:
    with pytest.raises(ValueError, match="is no gateway of site"):
        site.hub.device.switch(site.group, site.two.public_key, net.now, direct=site.other.public_key)

    assert site.group.active.public_key == site.one.public_key
    assert site.group.direct is site.group.active


@pytest.mark.parametrize("gateways", [["two"], ["one", "stranger"], ["one", "hub"]])
def test_gateways_are_members_and_the_direct_one_is_one_of_them(net: Network, site: Site, gateways: list[str]) -> None:
    nodes = {node.name: node for node in (site.one, site.two, site.hub, net.node("stranger"))}
    keys = [site.one.public_key, site.two.public_key]

    with pytest.raises(ValueError, match="gateways are members"):
        site.hub.device.set_group(
            "other",
            keys,
            [LAN],
            active=keys[0],
            direct=keys[0],
            gateways=[nodes[name].public_key for name in gateways],
            now=net.now,
        )

    assert site.group.prefixes == (LAN,)
