# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The whole service of one tunnel on memory drivers: the real container with only its drivers and clocks replaced."""

from __future__ import annotations

import contextlib
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dishka import Container, Provider, provide
from support.fake_time import FakeTime
from wirefleet_agent.drivers.interfaces import RoutesDriver, TunDriver, UdpDriver, UnderlayMonitor
from wirefleet_agent.drivers.memory import MemoryRoutes, MemoryTun, MemoryUdp, MemoryUnderlay
from wirefleet_agent.engine import Loop
from wirefleet_agent.errors import DriverError
from wirefleet_agent.host.control_server import ControlServer
from wirefleet_agent.host.deadline import BootClock
from wirefleet_agent.host.live_tunnel import InterfaceSpec, LiveTunnel
from wirefleet_agent.host.paths import Paths, TunnelPaths
from wirefleet_agent.host.service import TunnelService
from wirefleet_agent.host.wiring import HostScope, MonotonicClock, build_container
from wirefleet_agent.observe import Logs

if sys.platform == "win32":
    from wirefleet_agent.host.platform_wiring import UapiEndpoint
else:
    from wirefleet_agent.host.wiring_linux import UapiDirectory


class FollowingRoutes(MemoryRoutes):
    """The link state that is set here is what the interface says, as on a real host."""

    def __init__(self, tun: MemoryTun) -> None:
        super().__init__()
        self._tun = tun

    def set_up(self, is_up: bool) -> None:
        super().set_up(is_up)
        self._tun.set_link(is_up=is_up)

    def set_mtu(self, mtu_bytes: int) -> None:
        super().set_mtu(mtu_bytes)
        self._tun.set_link(mtu_bytes=mtu_bytes)


class SilentMonitor:
    """An underlay that never changes."""

    def __init__(self) -> None:
        self._ends = socket.socketpair()

    def fileno(self) -> int:
        return self._ends[0].fileno()

    def has_changed(self) -> bool:
        return False

    def close(self) -> None:
        for end in self._ends:
            end.close()


class NoUapi:
    """Nobody calls it."""

    def start(self) -> None:
        """Nothing to serve."""

    def stop(self) -> None:
        """Nothing was served."""


class MemoryDrivers(Provider):
    """In place of the platform's drivers. made: what was opened, newest last; fail_next: the next one is not made."""

    scope = HostScope.TUNNEL

    def __init__(self, underlay: MemoryUnderlay, hosts: tuple[str, ...], time: FakeTime, uapi: Path) -> None:
        super().__init__()
        self._underlay = underlay
        self._hosts = hosts
        self._time = time
        self._uapi = uapi
        self.made: list[MemoryTun] = []
        self.routes_made: list[FollowingRoutes] = []
        self.fail_next: DriverError | None = None

    @provide(scope=HostScope.DAEMON)
    def clock(self) -> MonotonicClock:
        return lambda: self._time.now_s

    @provide(scope=HostScope.DAEMON)
    def boot_clock(self) -> BootClock:
        return self._time.boot_clock()

    if sys.platform == "win32":

        @provide
        def uapi(self) -> UapiEndpoint:
            return NoUapi()  # its pipe has one name for the whole machine, and a test may have several hosts

    else:

        @provide(scope=HostScope.DAEMON)
        def uapi_directory(self) -> UapiDirectory:
            return UapiDirectory(self._uapi)

    @provide
    def tun(self, spec: InterfaceSpec) -> TunDriver:
        if self.fail_next is not None:
            error, self.fail_next = self.fail_next, None
            raise error
        self.made.append(MemoryTun(spec.name, mtu_bytes=spec.mtu_bytes))
        return self.made[-1]

    @provide
    def udp(self) -> UdpDriver:
        return MemoryUdp(self._underlay, *self._hosts)

    @provide
    def routes(self, tun: TunDriver) -> RoutesDriver:
        assert isinstance(tun, MemoryTun)
        self.routes_made.append(FollowingRoutes(tun))
        return self.routes_made[-1]

    @provide
    def monitor(self) -> Iterator[UnderlayMonitor]:
        monitor = SilentMonitor()
        yield monitor
        monitor.close()


@dataclass
class MemoryHost:
    """One host. ``start`` makes a service from what is on its disk, as after a boot; ``turn`` lets its loop work."""

    root: Path
    tunnel: str = "wf0"
    underlay: MemoryUnderlay = field(default_factory=MemoryUnderlay)
    hosts: tuple[str, ...] = ("192.0.2.1",)
    time: FakeTime = field(default_factory=FakeTime)

    def __post_init__(self) -> None:
        self._uapi = tempfile.TemporaryDirectory(prefix="wf-t-")  # short: a socket's address has 108 bytes
        self.uapi = Path(self._uapi.name)
        self.drivers = MemoryDrivers(self.underlay, self.hosts, self.time, self.uapi)
        self.container: Container | None = None

    @property
    def paths(self) -> TunnelPaths:
        return Paths(self.root).tunnel(self.tunnel)

    def start(self) -> TunnelService:
        context = {TunnelPaths: self.paths, Logs: Logs()}
        self.container = build_container(self.drivers, context=context)
        service = self.container.get(TunnelService)
        service.start()
        self.turn()
        return service

    @property
    def live(self) -> LiveTunnel:
        assert self.container is not None
        return self.container.get(LiveTunnel)

    @property
    def loop(self) -> Loop:
        assert self.container is not None
        return self.container.get(Loop)

    def turn(self, turns: int = 20) -> None:
        for _ in range(turns):
            self.loop.run_once(0)

    def pass_s(self, seconds: float) -> None:
        self.time.pass_s(seconds)
        self.turn()

    def crash(self) -> None:
        """The process is gone; nothing was cleaned up but what the kernel closes."""
        assert self.container is not None
        if self.live._open is not None:
            self.live._open.close()
        if sys.platform == "win32":
            self.container.get(ControlServer).stop()  # a socket's file is what a crash leaves; of a pipe nothing
        self.container.close()
        self.container = None

    @contextlib.contextmanager
    def running(self) -> Iterator[TunnelService]:
        """The service in a thread of its own, for callers that talk to its socket."""
        service = self.start()
        thread = threading.Thread(target=self.loop.run, name=f"service {self.tunnel}", daemon=True)
        thread.start()
        try:
            yield service
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            thread.join(10)
            service.stop()
            self.crash()
