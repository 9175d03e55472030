# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Three hubs and some spokes with everything but an operating system: tunnels, kernels, heartbeats, one manual clock.

::

    net = HaNet()
    net.run_for(3)                      # sessions, heartbeats
    flow = net.flow(net.spokes[0], net.spokes[1])
    net.kill(net.hubs[0])
    net.run_for(5)
    assert flow.longest_gap_s < 1.6

Underlay: ``net.cut(a, b)``, ``net.cut(a, b, one_way=True)``, ``net.mend(a, b)``, ``net.delay_s[a.host] = 0.4`` (on the
way to and from that host), ``net.kill(a)``, ``net.restart(a)``, ``a.tun.is_forwarding = False``,
``a.state.draining = True``.

A LAN behind the first spokes: ``HaNet(spokes=3, gateways=2)``; ``net.lan`` is a host there, whose packets go to
``net.lan.router``. Behind the first two hubs: ``HaNet(has_hub_lan=True)``, ``net.hub_lan``.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable, Iterator

from support.ha_hosts import SITE, Flow, HaHost, LanHost
from support.memory_kernel import KernelTun, MemoryHeartbeats
from support.packets import ip_packet
from support.tunnels import ManualClock
from wirefleet_agent.core import Device, stamp_of
from wirefleet_agent.drivers.memory import MemoryRoutes, MemoryUdp, MemoryUnderlay
from wirefleet_agent.engine import Loop, Tunnel
from wirefleet_agent.engine.ha_loop import HaLoop
from wirefleet_agent.engine.ha_settings import GroupSettings, HaContext, HaSettings
from wirefleet_agent.keys import PrivateKey, PublicKey
from wirefleet_agent.wire.endpoint import Endpoint

PORT = 51820
HEARTBEAT_PORT = 51821
OVERLAY = ipaddress.ip_network("10.86.0.0/16")
LAN = ipaddress.ip_network("10.1.0.0/16")
HUB_LAN = ipaddress.ip_network("10.2.0.0/16")
HUB_SITE = "site-10.2.0.0-16"
_WALL_EPOCH = 1_700_000_000
_TURNS = 16
_STEP_S = 0.02


class DelayedUnderlay(MemoryUnderlay):
    """Datagrams of some hosts take their time."""

    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self._loop = loop
        self.delay_s: dict[str, float] = {}
        self.pair_delay_s: dict[frozenset[str], float] = {}

    def carry(self, source: Endpoint, destination: Endpoint, datagram: bytes) -> None:
        delay_s = self.delay_s.get(source.host, 0.0) + self.delay_s.get(destination.host, 0.0)
        delay_s += self.pair_delay_s.get(frozenset({source.host, destination.host}), 0.0)
        if delay_s:
            deliver = super().carry
            self._loop.call_at(self._loop.now() + delay_s, lambda: deliver(source, destination, datagram))
        else:
            super().carry(source, destination, datagram)


class HaNet:
    """See the module's docstring."""

    def __init__(
        self,
        *,
        spokes: int = 2,
        gateways: int = 0,
        has_hub_lan: bool = False,
        interval_s: float = 0.5,
        misses: int = 3,
        policy: str = "active_standby",
        hold_s: float = 30.0,
        seed: int = 1,
    ) -> None:
        self.clock = ManualClock()
        self.loop = Loop(self.clock)
        self.underlay = DelayedUnderlay(self.loop)
        self.underlay.filter = self._passes
        self.delay_s = self.underlay.delay_s
        self.wall_offset_s = 0.0
        self.interval_s, self.misses = interval_s, misses
        self._group = GroupSettings(policy, hold_s)
        self._random = random.Random(seed)
        self._cuts: set[tuple[str, str]] = set()
        self._flows: list[Flow] = []
        self._instance = 0
        self.hubs = [self._host(f"hub-{n}", f"192.0.2.{n}", f"10.86.0.{n}", is_hub=True) for n in (1, 2, 3)]
        self.spokes = [
            self._host(f"spoke-{n}", f"198.51.100.{n}", f"10.86.1.{n}", is_hub=False) for n in range(1, spokes + 1)
        ]
        self.lan = self._lan("10.1.0.50", self.spokes[:gateways]) if gateways else None
        self.hub_lan = self._lan("10.2.0.50", self.hubs[:2]) if has_hub_lan else None
        for host in self.hosts:
            self.start(host)

    @staticmethod
    def _lan(address: str, gateways: list[HaHost]) -> LanHost:
        return LanHost(address, gateways, gateways[0])

    @property
    def lans(self) -> list[tuple[LanHost, ipaddress.IPv4Network]]:
        return [(lan, prefix) for lan, prefix in ((self.lan, LAN), (self.hub_lan, HUB_LAN)) if lan is not None]

    @property
    def hosts(self) -> list[HaHost]:
        return [*self.hubs, *self.spokes]

    def _host(self, name: str, host: str, overlay: str, *, is_hub: bool) -> HaHost:
        key = PrivateKey(self._random.randbytes(32))
        device = Device(entropy=self._random.randbytes, tai64n_now=self._stamp)
        device.set_private_key(key, self.clock.now)
        assert device.public_key is not None
        return HaHost(name, host, overlay, key, device.public_key, is_hub)

    def start(self, host: HaHost) -> None:
        """A fresh process with the host's configuration."""
        device = Device(entropy=self._random.randbytes, tai64n_now=self._stamp)
        host.tun = KernelTun(host.name, [host.overlay], self.clock)
        host.tun.is_forwarding = host.is_hub
        host.tunnel = Tunnel(self.loop, device, host.tun, MemoryUdp(self.underlay, host.host), routes=MemoryRoutes())
        device.set_private_key(host.key, self.clock.now)
        device.own_addresses = frozenset(host.tun.addresses)
        for lan, _ in self.lans:
            if any(host is each for each in lan.gateways):
                host.tun.behind.add(ipaddress.ip_address(lan.overlay).packed)
                host.tun.inbox = lan.inbox
        host.tunnel.set_listen_port(PORT)
        host.tunnel.start()
        host.tun.set_link(is_up=True)
        self._configure(host)
        host.sockets = MemoryHeartbeats(host.tun)
        host.is_dead = False
        self._instance += 1
        context = HaContext(
            jitter=self._random.random,
            instance=self._instance,
            first_count=int(_WALL_EPOCH + self.clock.now + self.wall_offset_s),
            state=host.state,
            reconnect=lambda key: self._reconnect(host, key),
        )
        host.ha = HaLoop(self.loop, host.tunnel, host.sockets, context)
        host.ha.configure(self.settings(host))
        self.turn()
        host.ha.start()
        self.turn()

    def settings(self, host: HaHost) -> HaSettings:
        others = [other for other in self.hosts if other is not host and (host.is_hub or other.is_hub)]
        return HaSettings(
            port=HEARTBEAT_PORT,
            interval_s=self.interval_s,
            misses=self.misses,
            own_addresses=tuple(host.tun.addresses),
            addresses={other.public_key: (ipaddress.ip_address(other.overlay).packed,) for other in others},
            groups={HUB_SITE: self._group} if host.is_hub else {"hubs": self._group},
            sites=frozenset({SITE}) if host.is_hub else frozenset(),
            relays=tuple(hub.public_key for hub in self.hubs if hub is not host) if host.is_hub else (),
        )

    def _configure(self, host: HaHost) -> None:
        device, now = host.device, self.clock.now
        for hub in self.hubs:
            if hub is host:
                continue
            peer = device.add_peer(hub.public_key, now)
            device.set_endpoint(peer, Endpoint(hub.host, PORT), now)
            device.allowed_ips.insert(ipaddress.ip_network(hub.overlay), peer)
        keys = [hub.public_key for hub in self.hubs if hub is not host]
        if not host.is_hub:
            prefixes = [OVERLAY, *(prefix for _, prefix in self.lans)]
            device.set_group("hubs", keys, prefixes, active=keys[0], now=now)
            return
        for spoke in self.spokes:
            device.add_peer(spoke.public_key, now)
            prefix = ipaddress.ip_network(spoke.overlay)
            members = [spoke.public_key, *keys]
            device.set_group(spoke.name, members, [prefix], active=spoke.public_key, direct=spoke.public_key, now=now)
        self._configure_sites(host, keys)

    def _configure_sites(self, hub: HaHost, hubs: list[PublicKey]) -> None:
        device, now = hub.device, self.clock.now
        if self.lan is not None:
            gateways = [spoke.public_key for spoke in self.lan.gateways]
            first = gateways[0]
            device.set_group(SITE, [*gateways, *hubs], [LAN], active=first, direct=first, gateways=gateways, now=now)
        if self.hub_lan is not None:
            others = [other.public_key for other in self.hub_lan.gateways if other is not hub]
            if len(others) == 1:
                device.allowed_ips.insert(HUB_LAN, device.peers[others[0]])
            else:
                device.set_group(HUB_SITE, others, [HUB_LAN], active=others[0], now=now)

    def _reconnect(self, host: HaHost, key: PublicKey) -> None:
        host.reconnects.append((self.clock.now, key))
        host.device.start_handshake(host.device.peers[key], self.clock.now)
        host.tunnel.flush()

    # Faults

    def kill(self, host: HaHost) -> None:
        """As by SIGKILL: nothing more comes from it, and it says nothing before."""
        host.is_dead = True
        host.ha.stop()
        host.tunnel.stop()

    def restart(self, host: HaHost) -> None:
        if not host.is_dead:
            self.kill(host)
        self.start(host)

    def cut(self, a: HaHost, b: HaHost, *, one_way: bool = False) -> None:
        self._cuts.add((a.host, b.host))
        if not one_way:
            self._cuts.add((b.host, a.host))

    def mend(self, a: HaHost, b: HaHost) -> None:
        self._cuts -= {(a.host, b.host), (b.host, a.host)}

    # Time

    def turn(self) -> None:
        for _ in range(_TURNS):
            self.loop.run_once(0)

    def steps(self, duration_s: float) -> Iterator[float]:
        for _ in range(round(duration_s / _STEP_S)):
            self.clock.now += _STEP_S
            for flow in self._flows:
                if flow.source.is_dead:
                    continue
                flow.sent += 1
                number = bytes(8) + flow.sent.to_bytes(4, "big")
                flow.source.tun.inject(ip_packet(flow.source.overlay, flow.target.overlay, number))
            self.turn()
            yield self.clock.now

    def run_for(self, duration_s: float) -> None:
        for _ in self.steps(duration_s):
            pass

    def run_until(self, claim: Callable[[], bool], timeout_s: float) -> float:
        """Seconds until the claim holds."""
        start = self.clock.now
        if claim():
            return 0.0
        for now in self.steps(timeout_s):
            if claim():
                return now - start
        raise AssertionError(f"waited {timeout_s} s in vain")

    def settled(self) -> HaNet:
        """All sessions are there, everybody has heard everybody, and the first hub carries all."""
        # Initiations of two hubs that cross cost WireGuard's five seconds.
        self.run_until(lambda: all(self._is_warm(host) for host in self.hosts), 12)
        self.run_for(3)
        assert all(spoke.active == self.hubs[0].public_key for spoke in self.spokes)
        return self

    @staticmethod
    def _is_warm(host: HaHost) -> bool:
        reports = host.ha.relay_reports() if host.is_hub else host.ha.group_reports()[0].members
        return all(report.state == "alive" for report in reports)

    def flow(self, source: HaHost | LanHost, target: HaHost | LanHost) -> Flow:
        """Begins with the next step. Ends with ``end_flows``."""
        flow = Flow(source, target)
        self._flows.append(flow)
        return flow

    def end_flows(self) -> None:
        """Send no more, and let arrive what is under way."""
        self._flows.clear()
        self.run_for(0.5)

    def close(self) -> None:
        for host in self.hosts:
            if not host.is_dead:
                self.kill(host)
        self.loop.close()

    def _passes(self, source: Endpoint, destination: Endpoint, _datagram: bytes) -> bool:
        return (source.host, destination.host) not in self._cuts

    def _stamp(self) -> bytes:
        seconds, fraction = divmod(self.clock.now + self.wall_offset_s, 1)
        return stamp_of(_WALL_EPOCH + int(seconds), int(fraction * 1e9))
