# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A Windows host in memory: the graph of Windows with fakes in place of its bindings, on any platform."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

from dishka import Container, Provider, provide
from support.fake_time import FakeTime
from support.fake_winsock import FakeWinsock
from support.fake_wintun import LUID, FakeWintun
from support.memory_pipes import MemoryPipes
from support.windows_host import FakeIpHelper, FakeToken, RecordingReporter
from wirefleet_agent.drivers.iphelper import IpHelperApi
from wirefleet_agent.drivers.pipe_windows import PipeApi, connect_pipe
from wirefleet_agent.drivers.udp_windows import WinsockApi
from wirefleet_agent.drivers.wintun_ring import WintunApi
from wirefleet_agent.engine import Loop
from wirefleet_agent.host.control_client import ControlClient
from wirefleet_agent.host.control_pipe import PipeTransport, control_pipe_name
from wirefleet_agent.host.keystore import KeyStore
from wirefleet_agent.host.paths import Paths, TunnelPaths
from wirefleet_agent.host.platform_wiring import HostScope
from wirefleet_agent.host.private_files import make_private_dir, write_private
from wirefleet_agent.host.process_windows import TokenApi
from wirefleet_agent.host.service_manager import ExitCode, ServiceControl
from wirefleet_agent.host.service_windows import WindowsService
from wirefleet_agent.host.wiring import MonotonicClock, build_container
from wirefleet_agent.host.wiring_windows import WINDOWS
from wirefleet_agent.observe import Logs

UNDERLAY_LUID = 6


class FakeBindings(Provider):
    """In place of ``BindingsProvider`` and the clock."""

    scope = HostScope.DAEMON

    def __init__(self, host: WindowsHost) -> None:
        super().__init__()
        self._host = host

    @provide
    def token(self) -> TokenApi:
        return self._host.token

    @provide
    def pipes(self) -> PipeApi:
        return self._host.pipes

    @provide
    def wintun(self) -> WintunApi:
        return self._host.wintun

    @provide
    def winsock(self) -> WinsockApi:
        return self._host.winsock

    @provide
    def ip_helper(self) -> IpHelperApi:
        return self._host.ip_helper

    @provide
    def clock(self) -> MonotonicClock:
        return lambda: self._host.time.now_s


class WindowsHost:
    """One service; ``start`` runs it in a thread, as the service control manager does."""

    def __init__(self, root: Path) -> None:
        self.paths: TunnelPaths = Paths(root).tunnel("wf0")
        self.token = FakeToken()
        self.pipes = MemoryPipes()
        self.wintun = FakeWintun()
        self.winsock = FakeWinsock()
        self.ip_helper = FakeIpHelper(LUID, UNDERLAY_LUID)
        self.time = FakeTime()
        self.reporter = RecordingReporter()
        self.connect = partial(connect_pipe, api=self.pipes)
        self.stop_timeout_s = self.start_timeout_s = 30.0
        self.service: WindowsService | None = None
        self._container: Container | None = None
        self._thread: threading.Thread | None = None
        self._codes: list[ExitCode] = []

    def configure(self, conf: str) -> None:
        """On disk, before the service starts."""
        KeyStore(self.paths.host).ensure("wf0")
        make_private_dir(self.paths.conf.parent)
        write_private(self.paths.conf, conf.encode())

    def build(self) -> WindowsService:
        context = {TunnelPaths: self.paths, Logs: Logs()}
        self._container = build_container(FakeBindings(self), context=context, platform=WINDOWS)
        self.service = self._container.get(WindowsService)
        self.service.stop_timeout_s = self.stop_timeout_s
        self.service.start_timeout_s = self.start_timeout_s
        return self.service

    def start(self, *, is_awaited: bool = True) -> None:
        service = self.build()
        running = threading.Event()
        say_running = self.reporter.running

        def now_running() -> None:
            say_running()
            running.set()

        self.reporter.running = now_running

        def body() -> None:
            self._codes.append(service.run_as_service(self.reporter))
            service.finish()

        self._thread = threading.Thread(target=body, name="service", daemon=True)
        self._thread.start()
        if is_awaited:
            assert running.wait(10), self.reporter.said

    def control(self, control: ServiceControl) -> None:
        assert self.service is not None
        self.service.control(control)

    def wake(self) -> None:
        """The loop looks at its clock."""
        assert self._container is not None
        self._container.get(Loop).call_soon_threadsafe(lambda: None)

    def ask(self, verb: str, request: dict[str, object] | None = None) -> dict[str, object]:
        return ControlClient(PipeTransport(control_pipe_name("wf0"), self.connect), timeout_s=10.0).call(verb, request)

    def join(self) -> ExitCode:
        assert self._thread is not None
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self._codes[0]

    def close(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            self.control(ServiceControl.STOP)
            self.join()
        if self._container is not None:
            self._container.close()
