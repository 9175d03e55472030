# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Hosts with groups on the in-memory network: a spoke and its hubs, and a hub whose spoke may come by another hub."""

from __future__ import annotations

import ipaddress

from support.net import Network, Node
from support.packets import ip_packet
from wirefleet_agent.core import Group, Peer
from wirefleet_agent.keys import PublicKey

OVERLAY = ipaddress.ip_network("10.86.0.0/16")
OVERLAY6 = ipaddress.ip_network("fd86::/64")
BEHIND = "10.86.9.9"  # some host that the hubs reach
BEHIND6 = "fd86::9:9"


class Star:
    """A spoke whose peers are hubs, all in one group; the first is active. Warm: it has a session with each."""

    def __init__(self, net: Network, hubs: int = 3, *, is_warm: bool = True) -> None:
        self.net = net
        self.spoke = net.node("spoke")
        self.hubs = [net.node(f"hub-{number}") for number in range(1, hubs + 1)]
        for hub in self.hubs:
            net.connect(self.spoke, hub)
        if is_warm:
            for hub in self.hubs:
                self.spoke.send(hub)
            net.run_for(0.1)
        self.group = self.spoke.device.set_group(
            "hubs", self.keys, [OVERLAY, OVERLAY6], active=self.keys[0], now=net.now
        )
        net.forget()

    @property
    def keys(self) -> list[PublicKey]:
        return [hub.public_key for hub in self.hubs]

    @property
    def peers(self) -> list[Peer]:
        return [self.spoke.peer(hub) for hub in self.hubs]

    def send(self, payload: bytes = b"x", *, to: str = BEHIND, source: str | None = None) -> None:
        source = source or (self.spoke.inner6 if ":" in to else self.spoke.inner)
        self.spoke.device.send_packet(ip_packet(source, to, payload), self.net.now)
        self.net.drain(self.spoke)

    def switch(self, hub: Node) -> None:
        self.spoke.device.switch(self.group, hub.public_key, self.net.now)
        self.net.drain(self.spoke)


class Relayed:
    """A hub with a spoke and another hub; the spoke's addresses are a group of both, the spoke itself is direct."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.hub, self.other, self.spoke = net.node("hub"), net.node("other"), net.node("spoke")
        net.connect(self.hub, self.other)
        net.connect(self.spoke, self.hub)
        self.hub.send(self.other)
        self.spoke.send(self.hub)
        net.run_for(0.1)
        self.hub.device.own_addresses = frozenset(
            ipaddress.ip_address(text).packed for text in (self.hub.inner, self.hub.inner6)
        )
        self.group: Group = self.hub.device.set_group(
            "spoke",
            [self.spoke.public_key, self.other.public_key],
            [ipaddress.ip_network(self.spoke.inner), ipaddress.ip_network(self.spoke.inner6)],
            active=self.spoke.public_key,
            direct=self.spoke.public_key,
            now=net.now,
        )
        net.forget()

    def forward(self, source: str, payload: bytes) -> None:
        to = self.spoke.inner6 if ":" in source else self.spoke.inner
        self.hub.device.send_packet(ip_packet(source, to, payload), self.net.now)
        self.net.drain()
        self.net.settle()
