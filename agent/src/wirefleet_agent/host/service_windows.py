# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The process around a tunnel's service on Windows: what the service control manager hears from us and tells us.

    start     START_PENDING with progress -> privileges dropped -> control pipe and tunnel -> RUNNING
    end       stop, shutdown, pre-shutdown, or `daemon stop` -> STOP_PENDING with progress -> STOPPED
    meanwhile suspend, resume and changed bindings lead to new sockets and handshakes

A thread of its own speaks for the loop's thread while that starts or stops. It vouches for a start for a minute and
then says RUNNING, since the tunnel is tried again and again anyway and somebody has to be able to stop it; a stop that
takes longer than 30 s it ends by ending the process, with an exit code of its own.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable

from ..engine import Loop, Supervisor
from ..errors import DriverError, InternalError, RefusedError
from ..observe import Logger, Logs
from .control_protocol import Json
from .control_server import ControlServer
from .daemon_windows import SPAWN_RESTART, spawn_from_service
from .file_lock import FileLock
from .paths import TunnelPaths
from .process_windows import WindowsProcess
from .restart import RestartOrder
from .service import TunnelService
from .service_manager import STOP_TIMEOUT_S, ExitCode, ServiceControl, StatusReporter

if sys.platform == "win32":
    from .win32.end import end_process
else:
    from os import _exit as end_process

START_TIMEOUT_S = 60.0
_LOCK_TIMEOUT_S = 2.0
_SIGNALS = ("SIGINT", "SIGBREAK", "SIGTERM")
_PROGRESS_S = 2.0
_WAIT_HINT_S = 10.0


_ENDS = (ServiceControl.STOP, ServiceControl.SHUTDOWN, ServiceControl.PRESHUTDOWN)


class SilentReporter:
    """The StatusReporter of a process that no manager started."""

    def start_pending(self, wait_hint_s: float) -> None:
        """Nobody listens."""

    def running(self) -> None:
        """Nobody listens."""

    def stop_pending(self, wait_hint_s: float) -> None:
        """Nobody listens."""

    def stopped(self, code: ExitCode) -> None:
        """Nobody listens."""


class Watchdog:
    """Speaks for a thread that is busy: reports progress, and acts when the time is up."""

    def __init__(self, *, timeout_s: float, progress: Callable[[], None], expired: Callable[[], None]) -> None:
        self._timeout_s = timeout_s
        self._progress = progress
        self._expired = expired
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Idempotent: the time runs from the first call."""
        with self._lock:
            if self._thread is None and not self._done.is_set():
                self._progress()
                self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
                self._thread.start()

    def end(self) -> None:
        """In time. Nothing is reported afterwards. Idempotent."""
        self._done.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        remaining_s = self._timeout_s
        while remaining_s > 0:
            if self._done.wait(min(_PROGRESS_S, remaining_s)):
                return
            remaining_s -= _PROGRESS_S
            self._progress()
        self._expired()


class WindowsService:
    """Holds the tunnel's lock for life and turns the loop.

    end_process: ends it at once, with this exit code. spawn: starts the process that restarts this service.
    """

    def __init__(
        self,
        paths: TunnelPaths,
        service: TunnelService,
        loop: Loop,
        logs: Logs,
        supervisor: Supervisor,
        process: WindowsProcess,
        logger: Logger,
        control: ControlServer,
    ) -> None:
        self._lock = FileLock(paths.pid)
        self._service = service
        self._loop = loop
        self._logs = logs
        self._supervisor = supervisor
        self._process = process
        self._logger = logger
        self._reporter: StatusReporter = SilentReporter()
        self.stop_timeout_s = STOP_TIMEOUT_S
        self.start_timeout_s = START_TIMEOUT_S
        self.end_process: Callable[[int], object] = end_process
        self.spawn: Callable[[TunnelPaths, RestartOrder], None] = spawn_from_service
        self._stop_lock = threading.Lock()  # the manager's thread and the loop's may both begin the stop
        self._stop_watchdog: Watchdog | None = None
        control.handlers[SPAWN_RESTART] = lambda request: self._spawn_restart(paths, RestartOrder.from_json(request))

    def run(self) -> None:
        """In the foreground, with the privileges of whoever called.

        Raises RefusedError if another process has this tunnel, DriverError if the control pipe cannot be made,
        InternalError if mistakes of ours came too fast to go on.
        """
        for name in _SIGNALS:
            if hasattr(signal, name):
                self._loop.add_signal_handler(getattr(signal, name), self._loop.stop)
        try:
            self._serve()
        finally:
            self.finish()

    def run_as_service(self, reporter: StatusReporter) -> ExitCode:
        """All of a service's life, but for ``finish``. Errors are logged and become the exit code; the caller reports
        it."""
        self._reporter = reporter
        try:
            self._process.drop_privileges(self._logger)
            self._serve()
        except Exception as error:  # noqa: BLE001  # the process's main: whatever is left becomes an exit code
            self._logger.critical("service_failed", error=str(error), kind=type(error).__name__)
            return _exit_code_of(error)
        return ExitCode.STOPPED

    def finish(self) -> None:
        """Everything is closed: the watchdog may go. Idempotent."""
        if self._stop_watchdog is not None:
            self._stop_watchdog.end()

    def control(self, control: ServiceControl) -> None:
        """From the manager's thread; returns at once."""
        if control in _ENDS:
            self._logger.info("service_stop_requested", control=control.value)
            self._watch_stop()
            self._loop.call_soon_threadsafe(self._loop.stop)
        elif control is ServiceControl.SUSPEND:
            self._logger.info("host_suspends")
        else:
            self._logger.info("underlay_changed", control=control.value)
            self._loop.call_soon_threadsafe(self._service.underlay_changed)

    def _serve(self) -> None:
        self._reporter.start_pending(_WAIT_HINT_S)
        self._lock.acquire(_LOCK_TIMEOUT_S)
        starting = Watchdog(
            timeout_s=self.start_timeout_s,
            progress=lambda: self._reporter.start_pending(_WAIT_HINT_S),
            expired=self._say_running,
        )
        starting.start()
        try:
            self._service.start()
            starting.end()
            self._say_running()
            self._loop.run()
        finally:
            starting.end()
            self._watch_stop()
            self._service.stop()
            self._loop.close()
            self._lock.release()
        if self._supervisor.fatal is not None:
            raise InternalError("too many errors in a short time", hint="see the log") from self._supervisor.fatal

    def _spawn_restart(self, paths: TunnelPaths, order: RestartOrder) -> Json:
        self._logger.info("restart_ordered", restart_id=order.restart_id)
        self.spawn(paths, order)
        return {"changed": True}

    def _say_running(self) -> None:
        """Not after a stop was begun: there is no way back from that."""
        with self._stop_lock:
            if self._stop_watchdog is None:
                self._reporter.running()

    def _watch_stop(self) -> None:
        with self._stop_lock:
            if self._stop_watchdog is None:
                self._stop_watchdog = Watchdog(
                    timeout_s=self.stop_timeout_s,
                    progress=lambda: self._reporter.stop_pending(_WAIT_HINT_S),
                    expired=self._stop_hung,
                )
            self._stop_watchdog.start()

    def _stop_hung(self) -> None:
        self._logger.critical("service_stop_hung", timeout_s=self.stop_timeout_s)
        self._reporter.stopped(ExitCode.STOP_HUNG)
        self.end_process(ExitCode.STOP_HUNG)


def _exit_code_of(error: Exception) -> ExitCode:
    if isinstance(error, RefusedError):
        return ExitCode.TUNNEL_IN_USE
    if isinstance(error, DriverError):
        return ExitCode.NO_CONTROL_PIPE
    return ExitCode.INTERNAL_ERROR
