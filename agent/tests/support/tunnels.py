# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Two whole tunnels on memory drivers, one loop and one clock that only a test moves.

::

    pair = TunnelPair()
    pair.left.tun.inject(ip_packet(LEFT, RIGHT, b"hello"))
    pair.turn()
    assert pair.right.payloads == [b"hello"]
"""

from __future__ import annotations

import ipaddress
import random
from dataclasses import dataclass

from support.packets import payload_of
from wirefleet_agent.control import Applier
from wirefleet_agent.core import Device, Peer, stamp_of
from wirefleet_agent.drivers.memory import MemoryRoutes, MemoryTun, MemoryUdp, MemoryUnderlay
from wirefleet_agent.engine import Loop, Tunnel
from wirefleet_agent.keys import PrivateKey
from wirefleet_agent.wire.endpoint import Endpoint

LEFT, RIGHT = "10.86.0.1", "10.86.0.2"
LEFT6, RIGHT6 = "fd86::1", "fd86::2"
PORT = 51820
_WALL_EPOCH = 1_700_000_000
_QUIET_TURNS = 40


class ManualClock:
    """Monotonic seconds that stand still until a test moves them."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class End:
    """One tunnel with its drivers; not yet up."""

    tunnel: Tunnel
    tun: MemoryTun
    udp: MemoryUdp
    routes: MemoryRoutes
    applier: Applier

    @property
    def device(self) -> Device:
        return self.tunnel.device

    @property
    def payloads(self) -> list[bytes]:
        """What the host got out of the tunnel."""
        return [payload_of(packet) for packet in self.tun.delivered]

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.udp.hosts[0], self.udp.port)

    @property
    def peer(self) -> Peer:
        (peer,) = self.device.peers.values()
        return peer


class TunnelPair:
    """left and right are each other's only peers, up and without a session."""

    def __init__(self, *, seed: int = 1, is_up: bool = True) -> None:
        self.clock = ManualClock()
        self.loop = Loop(self.clock)
        self.underlay = MemoryUnderlay()
        self._random = random.Random(seed)
        self.left = self.end("left", "192.0.2.1", "2001:db8::1")
        self.right = self.end("right", "192.0.2.2", "2001:db8::2")
        for end in (self.left, self.right):
            end.device.set_private_key(PrivateKey(self._random.randbytes(32)), self.clock.now)
            end.tunnel.set_listen_port(PORT)
            end.tunnel.start()
            end.tun.set_link(is_up=is_up)
        self._introduce(self.left, self.right, (RIGHT, RIGHT6))
        self._introduce(self.right, self.left, (LEFT, LEFT6))
        self.turn()

    def end(self, name: str, *hosts: str) -> End:
        """Another tunnel on the same loop and underlay."""
        device = Device(entropy=self._random.randbytes, tai64n_now=self._stamp)
        tun, udp, routes = MemoryTun(name), MemoryUdp(self.underlay, *hosts), MemoryRoutes()
        tunnel = Tunnel(self.loop, device, tun, udp, routes=routes)
        return End(tunnel, tun, udp, routes, Applier(device, tunnel, routes))

    def turn(self) -> None:
        """Turn the loop until nothing is left to do at this moment."""
        for _ in range(_QUIET_TURNS):
            self.loop.run_once(0)

    def run_for(self, duration_s: float, *, step_s: float = 0.25) -> None:
        end = self.clock.now + duration_s
        while self.clock.now < end:
            self.clock.now = min(end, self.clock.now + step_s)
            self.turn()

    def close(self) -> None:
        for end in (self.left, self.right):
            end.tunnel.stop()
        self.loop.close()

    def _introduce(self, end: End, other: End, addresses: tuple[str, ...]) -> None:
        assert other.device.public_key is not None
        peer = end.device.add_peer(other.device.public_key, self.clock.now)
        end.device.set_endpoint(peer, Endpoint(other.udp.hosts[0], PORT), self.clock.now)
        for address in addresses:
            end.device.allowed_ips.insert(ipaddress.ip_network(address), peer)

    def _stamp(self) -> bytes:
        seconds, fraction = divmod(self.clock.now, 1)
        return stamp_of(_WALL_EPOCH + int(seconds), int(fraction * 1e9))
