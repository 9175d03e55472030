# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What the service is made of on Linux only."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NewType

from dishka import Provider, provide

assert sys.platform != "win32"  # nothing below means anything there

from ..control import Applier
from ..drivers.interfaces import RoutesDriver, TunDriver, UdpDriver, UnderlayMonitor
from ..drivers.monitor_linux import LinuxUnderlayMonitor
from ..drivers.restore_file import RestoreFile
from ..drivers.routes_linux import LinuxRoutes
from ..drivers.tun_linux import LinuxTun
from ..drivers.udp_linux import LinuxUdp
from ..engine import Loop, Tunnel
from ..engine.uapi_server import DEFAULT_DIRECTORY, UapiServer
from ..observe import Logger
from .control_posix import UnixListener
from .control_server import ControlListener
from .live_tunnel import InterfaceSpec
from .notify import ServiceNotifier
from .offload_switch import uses_offloads
from .paths import TunnelPaths
from .platform_wiring import HostScope, Platform, UapiEndpoint
from .private_files import make_private_dir
from .process_facts import ProcessFacts
from .process_linux import LinuxProcess
from .service_linux import LinuxService

UapiDirectory = NewType("UapiDirectory", Path)


class LinuxProcessProvider(Provider):
    """The process and its ways in."""

    scope = HostScope.DAEMON

    process = provide(LinuxService)
    facts = provide(LinuxProcess, provides=ProcessFacts)

    @provide
    def notifier(self) -> ServiceNotifier:
        return ServiceNotifier()

    @provide
    def control_listener(self, loop: Loop, paths: TunnelPaths, logger: Logger) -> ControlListener:
        return UnixListener(loop, paths.socket, logger)


class LinuxProvider(Provider):
    """The drivers. Each is closed even if the tunnel that would own it could not be made."""

    scope = HostScope.TUNNEL

    @provide(scope=HostScope.DAEMON)
    def uapi_directory(self) -> UapiDirectory:
        return UapiDirectory(DEFAULT_DIRECTORY)

    @provide
    def tun(self, spec: InterfaceSpec) -> Iterator[TunDriver]:
        tun = LinuxTun(spec.name, mtu_bytes=spec.mtu_bytes, use_offloads=uses_offloads(os.environ))
        yield tun
        tun.close()

    @provide
    def udp(self) -> Iterator[UdpDriver]:
        udp = LinuxUdp(use_offloads=uses_offloads(os.environ))
        yield udp
        udp.close()

    @provide
    def routes(self, tun: TunDriver, paths: TunnelPaths) -> Iterator[RoutesDriver]:
        make_private_dir(paths.host.run_dir)
        memory = RestoreFile(paths.host.run_dir / f"{paths.name}.forwarding.json")
        routes = LinuxRoutes(tun.name, forwarding_memory=memory)
        yield routes
        routes.close()

    @provide
    def monitor(self, tun: TunDriver) -> Iterator[UnderlayMonitor]:
        monitor = LinuxUnderlayMonitor(tun.name)
        yield monitor
        monitor.close()

    @provide
    def uapi_server(
        self, loop: Loop, tunnel: Tunnel, applier: Applier, directory: UapiDirectory
    ) -> Iterator[UapiEndpoint]:
        server = UapiServer(loop, tunnel, applier, directory=directory)
        server.on_removed = server.start_again
        yield server
        server.stop()


LINUX = Platform("linux", LinuxService, (LinuxProcessProvider, LinuxProvider))
