# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The one place where the service's objects are put together.

A dishka container with two scopes. DAEMON: what lives as long as the process. TUNNEL: what lives as long as the
interface; opened anew each time the interface is made, closed in reverse order. The graph is validated when the
container is built: a missing provider is found by ``wirefleet-agent graph`` and by a test, not at three in the
morning. Tests replace providers by passing more of them: the last one wins.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NewType

from dishka import (
    DEFAULT_COMPONENT,
    BaseScope,
    Container,
    DependencyKey,
    Provider,
    from_context,
    make_container,
    new_scope,
    provide,
)
from dishka.exception_base import DishkaError
from dishka.provider import BaseProvider
from dishka.registry import Registry

from ..config import LogLevel
from ..control import Applier
from ..core import Device, Entropy, Tai64nClock, stamp_of
from ..drivers.interfaces import RoutesDriver, TunDriver, UdpDriver, UnderlayMonitor
from ..drivers.netlink_linux import LinuxUnderlayMonitor
from ..drivers.routes_linux import LinuxRoutes
from ..drivers.tun_linux import LinuxTun
from ..drivers.udp_linux import LinuxUdp
from ..engine import Loop, Resolver, Supervisor, Tunnel, UapiServer
from ..engine.uapi_server import DEFAULT_DIRECTORY
from ..errors import InternalError
from ..observe import Counters, Logger, Logs, get_logger
from .configuration import Configuration
from .control_server import ControlServer
from .deadline import BootClock
from .keystore import KeyStore
from .live_tunnel import InterfaceSpec, LiveTunnel, OpenTunnel, TunnelOpener
from .notify import ServiceNotifier
from .paths import Paths, TunnelPaths
from .releases import ReleaseStore
from .service import TunnelService
from .service_linux import LinuxService
from .store import ConfigStore

MonotonicClock = Callable[[], float]
UapiDirectory = NewType("UapiDirectory", Path)
LogLevelSetter = Callable[[LogLevel], None]


NAMED_CALLABLES: Mapping[str, object] = {
    "MonotonicClock": MonotonicClock,
    "Entropy": Entropy,
    "Tai64nClock": Tai64nClock,
    "LogLevelSetter": LogLevelSetter,
    "Logger": Logger,
}


class HostScope(BaseScope):
    """How long things live."""

    DAEMON = new_scope("DAEMON")
    TUNNEL = new_scope("TUNNEL")


@dataclass(frozen=True)
class TunnelParts:
    """What the daemon asks the inner scope for: this, and all that it needs, exists or the graph is invalid."""

    tunnel: Tunnel
    applier: Applier
    uapi: UapiServer


class ProcessProvider(Provider):
    """What the process has from outside: where it works, its logs, clocks, randomness."""

    scope = HostScope.DAEMON

    tunnel_paths = from_context(TunnelPaths)
    logs = from_context(Logs)

    @provide
    def paths(self, tunnel: TunnelPaths) -> Paths:
        return tunnel.host

    @provide
    def logger(self) -> Logger:
        return get_logger("host")

    @provide
    def log_level_setter(self, logs: Logs) -> LogLevelSetter:
        return logs.set_level

    @provide
    def clock(self) -> MonotonicClock:
        return time.monotonic

    @provide
    def boot_clock(self) -> BootClock:
        return BootClock.of_system()

    @provide
    def entropy(self) -> Entropy:
        return os.urandom

    @provide
    def tai64n_clock(self) -> Tai64nClock:
        return lambda: stamp_of(*divmod(time.time_ns(), 1_000_000_000))


class DaemonProvider(Provider):
    """The service around the tunnel."""

    scope = HostScope.DAEMON

    counters = provide(Counters)
    keys = provide(KeyStore)
    releases = provide(ReleaseStore)
    store = provide(ConfigStore)
    configuration = provide(Configuration)
    live_tunnel = provide(LiveTunnel)
    service = provide(TunnelService)
    process = provide(LinuxService)

    @provide
    def notifier(self) -> ServiceNotifier:
        return ServiceNotifier()

    @provide
    def loop(self, clock: MonotonicClock) -> Iterator[Loop]:
        loop = Loop(clock)
        yield loop
        loop.close()

    @provide
    def supervisor(self, loop: Loop) -> Supervisor:
        return Supervisor(loop)

    @provide
    def resolver(self, loop: Loop) -> Iterator[Resolver]:
        resolver = Resolver(loop)
        yield resolver
        resolver.close()

    @provide
    def control_server(self, loop: Loop, paths: TunnelPaths, logger: Logger) -> ControlServer:
        return ControlServer(loop, paths.socket, logger)

    @provide
    def tunnel_opener(self, container: Container) -> TunnelOpener:
        def open_tunnel(spec: InterfaceSpec) -> OpenTunnel:
            with contextlib.ExitStack() as stack:
                parts = stack.enter_context(container(context={InterfaceSpec: spec})).get(TunnelParts)
                parts.uapi.start()
                parts.tunnel.start()
                return OpenTunnel(parts.tunnel, parts.applier, stack.pop_all().close)
            raise AssertionError("unreachable")

        return open_tunnel


class TunnelProvider(Provider):
    """One interface on any platform."""

    scope = HostScope.TUNNEL

    spec = from_context(InterfaceSpec)
    parts = provide(TunnelParts)

    @provide
    def device(self, entropy: Entropy, tai64n_now: Tai64nClock) -> Device:
        return Device(entropy=entropy, tai64n_now=tai64n_now)

    @provide
    def tunnel(
        self,
        loop: Loop,
        device: Device,
        tun: TunDriver,
        udp: UdpDriver,
        routes: RoutesDriver,
        monitor: UnderlayMonitor,
    ) -> Iterator[Tunnel]:
        tunnel = Tunnel(loop, device, tun, udp, routes=routes, monitor=monitor)
        yield tunnel
        tunnel.stop()

    @provide
    def applier(self, device: Device, tunnel: Tunnel, routes: RoutesDriver, set_log_level: LogLevelSetter) -> Applier:
        return Applier(device, tunnel, routes, set_log_level=set_log_level)

    @provide
    def uapi_server(
        self, loop: Loop, tunnel: Tunnel, applier: Applier, directory: UapiDirectory
    ) -> Iterator[UapiServer]:
        server = UapiServer(loop, tunnel, applier, directory=directory)
        server.on_removed = server.start_again
        yield server
        server.stop()


class LinuxProvider(Provider):
    """The drivers of Linux. Each is closed even if the tunnel that would own it could not be made."""

    scope = HostScope.TUNNEL

    @provide(scope=HostScope.DAEMON)
    def uapi_directory(self) -> UapiDirectory:
        return UapiDirectory(DEFAULT_DIRECTORY)

    @provide
    def tun(self, spec: InterfaceSpec) -> Iterator[TunDriver]:
        tun = LinuxTun(spec.name, mtu_bytes=spec.mtu_bytes)
        yield tun
        tun.close()

    @provide
    def udp(self) -> Iterator[UdpDriver]:
        udp = LinuxUdp()
        yield udp
        udp.close()

    @provide
    def routes(self, tun: TunDriver) -> Iterator[RoutesDriver]:
        routes = LinuxRoutes(tun.name)
        yield routes
        routes.close()

    @provide
    def monitor(self) -> Iterator[UnderlayMonitor]:
        monitor = LinuxUnderlayMonitor()
        yield monitor
        monitor.close()


ROOTS: tuple[type, ...] = (LinuxService, TunnelParts)
PROVIDERS: tuple[type[Provider], ...] = (ProcessProvider, DaemonProvider, TunnelProvider, LinuxProvider)


def build_container(
    *replacements: BaseProvider,
    context: Mapping[object, object] | None = None,
    providers: Sequence[type[Provider]] = PROVIDERS,
) -> Container:
    """The validated container. replacements: providers that win over ours.

    Raises InternalError that names what is missing, before anything was made.
    """
    made = [provider() for provider in providers]
    try:
        container = make_container(
            *made, *replacements, scopes=HostScope, context=dict(context or {}), lock_factory=None
        )
    except DishkaError as error:
        raise InternalError(f"the service cannot be put together: {error}") from error
    for root in ROOTS:
        if not is_provided(container, root):
            raise InternalError(f"the service cannot be put together: nothing provides {root.__name__}")
    return container


def is_provided(container: Container, wanted: type) -> bool:
    """Whether any scope of the container can make ``wanted``."""
    registry: Registry | None = container.registry
    while registry is not None:
        if DependencyKey(wanted, DEFAULT_COMPONENT) in registry.factories:
            return True
        registry = registry.child_registry
    return False


@contextlib.contextmanager
def open_service(paths: TunnelPaths, logs: Logs) -> Iterator[LinuxService]:
    """The service of one tunnel, ready to ``run``; everything that it made is closed at the end."""
    container = build_container(context={TunnelPaths: paths, Logs: logs})
    try:
        yield container.get(LinuxService)
    finally:
        container.close()
