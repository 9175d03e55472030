# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The hosts of a ``HaNet``, and packets that run between them."""

from __future__ import annotations

import ipaddress
import itertools
from dataclasses import dataclass, field

from support.memory_kernel import KernelTun, MemoryHeartbeats
from support.packets import payload_of
from wirefleet_agent.core import Device, Group
from wirefleet_agent.engine import Tunnel
from wirefleet_agent.engine.ha_loop import HaLoop
from wirefleet_agent.engine.ha_settings import LocalHubState
from wirefleet_agent.keys import PrivateKey, PublicKey

SITE = "site-10.1.0.0-16"


@dataclass
class HaHost:
    """A hub or a spoke. host: its underlay address. overlay: its address in the tunnel."""

    name: str
    host: str
    overlay: str
    key: PrivateKey
    public_key: PublicKey
    is_hub: bool
    state: LocalHubState = field(default_factory=LocalHubState)
    is_dead: bool = True
    reconnects: list[tuple[float, PublicKey]] = field(default_factory=list)
    tunnel: Tunnel = field(init=False)
    tun: KernelTun = field(init=False)
    sockets: MemoryHeartbeats = field(init=False)
    ha: HaLoop = field(init=False)

    @property
    def device(self) -> Device:
        return self.tunnel.device

    @property
    def hubs(self) -> Group:
        """A spoke's group."""
        return self.device.groups["hubs"]

    @property
    def active(self) -> PublicKey:
        return self.hubs.active.public_key

    def via(self, spoke: HaHost) -> PublicKey | None:
        """Which hub this hub sends a spoke's packets to; None: directly."""
        active = self.device.groups[spoke.name].active.public_key
        return None if active == spoke.public_key else active

    @property
    def site_way(self) -> PublicKey:
        """Of a hub: whom the LAN's packets go to, a gateway or another hub."""
        return self.device.groups[SITE].active.public_key

    @property
    def gateway(self) -> PublicKey:
        """Of a hub: the gateway in use, or used last."""
        direct = self.device.groups[SITE].direct
        assert direct is not None
        return direct.public_key


@dataclass
class LanHost:
    """Behind several gateways. router: the one that it sends to, as VRRP would have it. tun: itself, for flows."""

    overlay: str
    gateways: list[HaHost]
    router: HaHost
    inbox: list[tuple[float, bytes]] = field(default_factory=list)

    @property
    def tun(self) -> LanHost:
        return self

    @property
    def is_dead(self) -> bool:
        return self.router.is_dead

    def inject(self, packet: bytes) -> None:
        self.router.tun.inject(packet)


@dataclass
class Flow:
    """Numbered packets from one host to another, one per step of the clock."""

    source: HaHost | LanHost
    target: HaHost | LanHost
    sent: int = 0

    @property
    def arrived(self) -> list[tuple[float, int]]:
        mine = ipaddress.ip_address(self.source.overlay).packed
        return [
            (when, int.from_bytes(payload_of(packet)[8:12], "big"))
            for when, packet in self.target.tun.inbox
            if packet[12:16] == mine
        ]

    @property
    def most_hops(self) -> int:
        """How often the packet that was forwarded most had been: twice over two hubs, more in a circle.

        A hop takes a turn of the loop here, so a circle of a moment does not use up a packet's hops as it would on a
        real network; it shows in this number.
        """
        mine = ipaddress.ip_address(self.source.overlay).packed
        return max(64 - packet[8] for _, packet in self.target.tun.inbox if packet[12:16] == mine)

    @property
    def lost(self) -> int:
        return self.sent - len({number for _, number in self.arrived})

    @property
    def longest_gap_s(self) -> float:
        """Between two packets that arrived one after the other."""
        times = [when for when, _ in self.arrived]
        assert len(times) > 1, "nothing arrived"
        return max(after - before for before, after in itertools.pairwise(times))
