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
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from dishka import (
    DEFAULT_COMPONENT,
    Container,
    DependencyKey,
    Provider,
    from_context,
    make_container,
    provide,
)
from dishka.exception_base import DishkaError
from dishka.provider import BaseProvider
from dishka.registry import Registry

from ..config import LogLevel
from ..control import Applier
from ..core import Device, Entropy, Tai64nClock, stamp_of
from ..drivers.heartbeat_udp import UdpHeartbeats
from ..drivers.interfaces import HeartbeatDriver, RoutesDriver, TunDriver, UdpDriver, UnderlayMonitor
from ..engine import Loop, Resolver, Supervisor, Tunnel
from ..engine.ha_settings import HubState
from ..errors import InternalError
from ..observe import Counters, Logger, Logs, get_logger
from ..observe.metrics import ClusterMetrics, RedundancyMetrics
from .cluster_service import ClusterService
from .configuration import Configuration
from .control_server import ControlServer
from .deadline import BootClock
from .keystore import KeyStore
from .live_tunnel import InterfaceSpec, LiveTunnel, OpenTunnel, TunnelOpener
from .metrics_endpoint import MetricsEndpoint
from .metrics_views import cluster_view, redundancy_view
from .paths import Paths, TunnelPaths
from .platform_wiring import HostProcess, HostScope, Platform, UapiEndpoint
from .redundancy import Redundancy
from .releases import ReleaseStore
from .service import TunnelService
from .store import ConfigStore

MonotonicClock = Callable[[], float]
LogLevelSetter = Callable[[LogLevel], None]
P = TypeVar("P")


NAMED_CALLABLES: Mapping[str, object] = {
    "MonotonicClock": MonotonicClock,
    "Entropy": Entropy,
    "Tai64nClock": Tai64nClock,
    "LogLevelSetter": LogLevelSetter,
    "Logger": Logger,
}


@dataclass(frozen=True)
class TunnelParts:
    """What the daemon asks the inner scope for: this, and all that it needs, exists or the graph is invalid."""

    tunnel: Tunnel
    applier: Applier
    heartbeats: HeartbeatDriver
    uapi: UapiEndpoint


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
    releases = provide(ReleaseStore)
    configuration = provide(Configuration)
    live_tunnel = provide(LiveTunnel)
    cluster = provide(ClusterService)
    service = provide(TunnelService)
    control_server = provide(ControlServer)
    redundancy = provide(Redundancy)

    @provide
    def hub_state(self, cluster: ClusterService) -> HubState:
        return cluster.state

    @provide
    def metrics(
        self,
        live: LiveTunnel,
        loop: Loop,
        counters: Counters,
        supervisor: Supervisor,
        redundancy: Redundancy,
        state: HubState,
        cluster: ClusterService,
    ) -> MetricsEndpoint:
        """The rooms that have more to tell add their sources here."""
        sources = (
            RedundancyMetrics(lambda: redundancy_view(live, redundancy, state)),
            ClusterMetrics(lambda: cluster_view(live, cluster)),
        )
        return MetricsEndpoint(live, loop, counters, supervisor, time.time, sources)

    @provide
    def keys(self, paths: Paths) -> KeyStore:
        return KeyStore(paths)

    @provide
    def store(self, paths: TunnelPaths, clock: BootClock) -> ConfigStore:
        return ConfigStore(paths, clock)

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
    def tunnel_opener(self, container: Container) -> TunnelOpener:
        def open_tunnel(spec: InterfaceSpec) -> OpenTunnel:
            with contextlib.ExitStack() as stack:
                parts = stack.enter_context(container(context={InterfaceSpec: spec})).get(TunnelParts)
                parts.uapi.start()
                parts.tunnel.start()
                return OpenTunnel(parts.tunnel, parts.applier, parts.heartbeats, stack.pop_all().close)
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
    def heartbeats(self, tun: TunDriver) -> Iterator[HeartbeatDriver]:
        heartbeats = UdpHeartbeats(tun.name)
        yield heartbeats
        heartbeats.close()

    @provide
    def applier(self, device: Device, tunnel: Tunnel, routes: RoutesDriver, set_log_level: LogLevelSetter) -> Applier:
        return Applier(device, tunnel, routes, set_log_level=set_log_level)


COMMON_PROVIDERS: tuple[type[Provider], ...] = (ProcessProvider, DaemonProvider, TunnelProvider)


def this_platform() -> Platform:
    """Where we run."""
    if sys.platform == "win32":
        from .wiring_windows import WINDOWS

        return WINDOWS
    else:  # noqa: RET505  # mypy takes platforms apart by if and else
        from .wiring_linux import LINUX

        return LINUX


def build_container(
    *replacements: BaseProvider,
    context: Mapping[object, object] | None = None,
    platform: Platform | None = None,
    providers: Sequence[type[Provider]] | None = None,
) -> Container:
    """The validated container. replacements: providers that win over ours. platform: this one unless given.

    providers: instead of the common ones and the platform's. Raises InternalError that names what is missing, before
    anything was made.
    """
    chosen = platform or this_platform()
    made = [provider() for provider in providers or (*COMMON_PROVIDERS, *chosen.providers)]
    try:
        container = make_container(
            *made, *replacements, scopes=HostScope, context=dict(context or {}), lock_factory=None
        )
    except DishkaError as error:
        raise InternalError(f"the service cannot be put together: {error}") from error
    for root in (chosen.process, TunnelParts):
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
def open_service(paths: TunnelPaths, logs: Logs) -> Iterator[HostProcess]:
    """The service of one tunnel, ready to ``run``; everything that it made is closed at the end."""
    with open_process(paths, logs, this_platform().process) as process:
        yield process


@contextlib.contextmanager
def open_process(paths: TunnelPaths, logs: Logs, kind: type[P]) -> Iterator[P]:
    """Like ``open_service``, for who knows the platform."""
    container = build_container(context={TunnelPaths: paths, Logs: logs})
    try:
        yield container.get(kind)
    finally:
        container.close()
