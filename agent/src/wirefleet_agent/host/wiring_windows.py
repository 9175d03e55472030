# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What the service is made of on Windows only.

Imports on every platform: the bindings to Win32 are imported when they are made, and tests give fakes in their place.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from dishka import Provider, provide

from ..control import Applier
from ..drivers.interfaces import RoutesDriver, TunDriver, UdpDriver, UnderlayMonitor
from ..drivers.iphelper import IpHelperApi
from ..drivers.monitor_windows import WindowsUnderlayMonitor
from ..drivers.mtu_windows import MtuFollowingMonitor
from ..drivers.pipe_windows import PipeApi, load_pipes
from ..drivers.restore_file import RestoreFile
from ..drivers.routes_windows import WindowsRoutes
from ..drivers.tun_windows import WindowsTun
from ..drivers.udp_windows import WindowsUdp, WinsockApi
from ..drivers.wintun_ring import WintunApi
from ..engine import Loop, Tunnel
from ..engine.uapi_pipe_windows import UapiPipeServer
from ..errors import DriverError
from .control_pipe import PipeListener, control_pipe_name
from .control_server import ControlListener
from .live_tunnel import InterfaceSpec
from .paths import TunnelPaths
from .platform_wiring import HostScope, Platform, UapiEndpoint
from .private_files import make_private_dir, write_private
from .process_facts import ProcessFacts
from .process_windows import TokenApi, WindowsProcess
from .service_windows import WindowsService


class BindingsProvider(Provider):
    """Win32 itself, each part behind its narrow interface. The DLL of Wintun is loaded when a tunnel is to be made."""

    scope = HostScope.DAEMON

    @provide
    def token(self) -> TokenApi:
        if sys.platform == "win32":
            from .win32.token import ProcessToken

            return ProcessToken()
        raise _foreign("OpenProcessToken")

    @provide
    def pipes(self) -> PipeApi:
        return load_pipes()

    @provide
    def wintun(self) -> WintunApi:
        if sys.platform == "win32":
            from ..drivers.win32.wintun import load_wintun
            from .own_release import pinned_wintun

            return load_wintun(*pinned_wintun(Path(sys.prefix)))
        raise _foreign("LoadLibrary")

    @provide
    def winsock(self) -> WinsockApi:
        if sys.platform == "win32":
            from ..drivers.win32.winsock import Winsock

            return Winsock()
        raise _foreign("WSASocket")

    @provide
    def ip_helper(self) -> IpHelperApi:
        if sys.platform == "win32":
            from ..drivers.win32.iphelper import load_ip_helper

            return load_ip_helper()
        raise _foreign("iphlpapi")


class WindowsProcessProvider(Provider):
    """The process and its ways in."""

    scope = HostScope.DAEMON

    service = provide(WindowsService)
    process = provide(WindowsProcess)

    @provide
    def facts(self, process: WindowsProcess) -> ProcessFacts:
        return process

    @provide
    def control_listener(self, loop: Loop, paths: TunnelPaths, pipes: PipeApi) -> ControlListener:
        return PipeListener(loop, control_pipe_name(paths.name), pipes)


class WindowsProvider(Provider):
    """The drivers. Each is closed even if the tunnel that would own it could not be made."""

    scope = HostScope.TUNNEL

    @provide
    def adapter(self, spec: InterfaceSpec, wintun: WintunApi) -> Iterator[WindowsTun]:
        tun = WindowsTun(spec.name, mtu_bytes=spec.mtu_bytes, wintun=wintun)
        yield tun
        tun.close()

    @provide
    def tun(self, adapter: WindowsTun) -> TunDriver:
        return adapter

    @provide
    def routes(self, adapter: WindowsTun, ip_helper: IpHelperApi, paths: TunnelPaths) -> Iterator[WindowsRoutes]:
        make_private_dir(paths.host.run_dir)
        memory = forwarding_memory(paths)
        routes = WindowsRoutes(adapter.luid, adapter.name, ip_helper, link=adapter, forwarding_memory=memory)
        yield routes
        routes.close()

    @provide
    def routes_driver(self, routes: WindowsRoutes) -> RoutesDriver:
        return routes

    @provide
    def monitor(self, routes: WindowsRoutes, ip_helper: IpHelperApi) -> Iterator[UnderlayMonitor]:
        """Also has the MTU follow the way out."""
        monitor = MtuFollowingMonitor(WindowsUnderlayMonitor(ip_helper), routes)
        yield monitor
        monitor.close()

    @provide
    def udp(self, winsock: WinsockApi) -> Iterator[UdpDriver]:
        udp = WindowsUdp(winsock)
        yield udp
        udp.close()

    @provide
    def uapi_server(self, loop: Loop, tunnel: Tunnel, applier: Applier, pipes: PipeApi) -> Iterator[UapiEndpoint]:
        server = UapiPipeServer(loop, tunnel, applier, api=pipes)
        yield server
        server.stop()


def forwarding_memory(paths: TunnelPaths) -> RestoreFile:
    """What this tunnel switched on, for whoever comes after a process that was killed."""
    return RestoreFile(forwarding_note(paths), write_private)


def forwarding_note(paths: TunnelPaths) -> Path:
    """The file of ``forwarding_memory``; there while something is to be put back."""
    return paths.host.run_dir / f"{paths.name}.forwarding.json"


def _foreign(call: str) -> DriverError:
    return DriverError("this exists on Windows only", call=call)


WINDOWS = Platform("windows", WindowsService, (BindingsProvider, WindowsProcessProvider, WindowsProvider))
