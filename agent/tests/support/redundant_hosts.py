# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Whole services with heartbeats that reach each other, with only their drivers and clocks replaced."""

from __future__ import annotations

from dishka import provide
from support.memory_host import MemoryDrivers, MemoryHost
from support.memory_kernel import KernelTun, MemoryHeartbeats
from wirefleet_agent.cluster import ViewHubState
from wirefleet_agent.drivers.interfaces import HeartbeatDriver, TunDriver
from wirefleet_agent.engine.ha_settings import HubState
from wirefleet_agent.host.keystore import KeyStore
from wirefleet_agent.host.live_tunnel import InterfaceSpec
from wirefleet_agent.host.paths import Paths
from wirefleet_agent.host.redundancy import Redundancy

HEARTBEAT = "[heartbeat]\nport = 51821\ninterval_ms = 500\nmisses = 3\n"


class KernelDrivers(MemoryDrivers):
    """With a kernel behind the interface. overlay: the host's addresses in it."""

    overlay: tuple[str, ...] = ()

    @provide
    def tun(self, spec: InterfaceSpec) -> TunDriver:
        made = KernelTun(spec.name, self.overlay, lambda: self._time.now_s)
        self.made.append(made)
        return made

    @provide
    def heartbeats(self, tun: TunDriver) -> HeartbeatDriver:
        assert isinstance(tun, KernelTun)
        return MemoryHeartbeats(tun)


class Host(MemoryHost):
    """A MemoryHost with heartbeats."""

    def __init__(self, root, number, first=None):
        shared = {} if first is None else {"underlay": first.underlay, "time": first.time}
        super().__init__(root, hosts=(f"192.0.2.{number}",), **shared)
        self.overlay = f"10.86.0.{number}"
        self.drivers = KernelDrivers(self.underlay, self.hosts, self.time, self.uapi)
        self.drivers.overlay = (self.overlay,)
        root.mkdir()
        self.key = str(KeyStore(Paths(root)).ensure("wf0").public_key)

    @property
    def state(self) -> ViewHubState:
        assert self.container is not None
        found = self.container.get(HubState)
        assert isinstance(found, ViewHubState)
        return found

    @property
    def redundancy(self) -> Redundancy:
        assert self.container is not None
        return self.container.get(Redundancy)

    def conf(self, *peers):
        return f"[Interface]\nListenPort = 51820\nAddress = {self.overlay}/16\n" + "".join(peers)

    def as_peer(self, more="", endpoint=None, *, is_called=True):
        called = f"Endpoint = {endpoint or self.hosts[0] + ':51820'}\nPersistentKeepalive = 25\n" if is_called else ""
        return f"[Peer]\nPublicKey = {self.key}\nAllowedIPs = {self.overlay}/32{more}\n{called}"


def pass_s(seconds, *hosts):
    """Together, in steps in which an answer comes within the same step."""
    for _ in range(round(seconds / 0.05)):
        hosts[0].time.pass_s(0.05)
        for _ in range(10):
            for host in hosts:
                if host.container is not None:
                    host.turn(2)
