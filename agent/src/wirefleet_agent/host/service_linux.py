# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The process around a tunnel's service on Linux: one per tunnel, signals, and an end that cleans up."""

from __future__ import annotations

import os
import signal
import sys

assert sys.platform != "win32"  # nothing below means anything there

from ..engine import Loop, Supervisor
from ..errors import InternalError
from ..observe import Logger, Logs
from .deadline import BootClock
from .file_lock import FileLock
from .notify import ServiceNotifier
from .paths import TunnelPaths
from .service import TunnelService
from .sleep_watch import SleepWatch

_LOCK_TIMEOUT_S = 2.0


class LinuxService:
    """Holds the tunnel's lock for life, turns the loop, ends on SIGTERM and SIGINT; SIGHUP reopens the log."""

    def __init__(
        self,
        paths: TunnelPaths,
        service: TunnelService,
        loop: Loop,
        logs: Logs,
        notifier: ServiceNotifier,
        supervisor: Supervisor,
        clock: BootClock,
        logger: Logger,
    ) -> None:
        self._lock = FileLock(paths.pid)
        self._service = service
        self._loop = loop
        self._logs = logs
        self._notifier = notifier
        self._supervisor = supervisor
        self._sleep_watch = SleepWatch(loop, clock, service.underlay_changed, logger)

    def run(self) -> None:
        """Until a signal, or ``daemon stop``.

        Raises RefusedError if another daemon has this tunnel, DriverError if the control socket cannot be made,
        InternalError if mistakes of ours came too fast to go on.
        """
        os.umask(0o077)
        self._lock.acquire(_LOCK_TIMEOUT_S)
        try:
            self._catch_signals()
            self._service.start()
            self._notifier.ready("serving the control socket")
            self._watchdog()
            self._sleep_watch.start()
            self._loop.run()
        finally:
            self._notifier.stopping()
            self._sleep_watch.stop()
            self._service.stop()
            self._loop.close()
            self._lock.release()
        if self._supervisor.fatal is not None:
            raise InternalError("too many errors in a short time", hint="see the log") from self._supervisor.fatal

    def _catch_signals(self) -> None:
        for signum in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(signum, self._loop.stop)
        self._loop.add_signal_handler(signal.SIGHUP, self._logs.reopen)

    def _watchdog(self) -> None:
        interval_s = self._notifier.watchdog_interval_s
        if interval_s is not None:
            self._notifier.watchdog()
            self._loop.call_at(self._loop.now() + interval_s, self._watchdog)
