# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A change of configuration never drops a session that it does not concern."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

from support.control import Host, Refusals, Sockets
from support.net import Network
from support.node import Node
from wirefleet_agent.config import HostPort, InterfaceConfig, PeerConfig, TunnelConfig, plan_changes
from wirefleet_agent.control import Applier


def as_peer(node: Node, *more: str) -> PeerConfig:
    own = (ipaddress.ip_network(node.inner), ipaddress.ip_network(node.inner6))
    return PeerConfig(
        node.public_key,
        endpoint=HostPort(node.endpoint.host, node.endpoint.port),
        allowed_ips=(*own, *map(ipaddress.ip_network, more)),
    )


def test_a_prefix_moves_and_a_peer_goes_while_the_others_keep_their_sessions(net: Network) -> None:  # checklist 38, 39
    hub, one, two, three = (net.node(name) for name in ("hub", "one", "two", "three"))
    for spoke in (one, two, three):
        spoke.configure(hub)
    refusals = Refusals()
    applier = Applier(hub.device, Sockets(refusals), Host(refusals))
    on = InterfaceConfig(private_key=hub.private_key)
    old = TunnelConfig("wf0", on, (as_peer(one, "192.168.7.0/24"), as_peer(two), as_peer(three, "192.168.8.0/24")))
    new = replace(old, peers=(as_peer(one), as_peer(two, "192.168.7.0/24", "192.168.8.0/24")))
    applier.apply(plan_changes(None, old), net.now)
    for spoke in (one, two, three):
        spoke.send(hub)
    net.settle()
    handshakes_before = hub.handshakes
    net.forget()

    applier.apply(plan_changes(old, new), net.now)
    for spoke in (one, two):
        hub.send(spoke, b"still here")
        spoke.send(hub, b"me too")
    net.settle()

    assert handshakes_before == 3
    assert hub.handshakes == 0
    assert not net.count("initiation")
    assert hub.payloads.count(b"me too") == 2
    assert one.payloads == two.payloads == [b"still here"]
    assert hub.device.allowed_ips.lookup(ipaddress.ip_address("192.168.7.1").packed) is hub.peer(two)
