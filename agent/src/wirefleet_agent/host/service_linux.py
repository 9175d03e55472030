# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The process around a tunnel's service on Linux: one per tunnel, signals, and an end that cleans up."""

from __future__ import annotations

import os
import signal
from collections import deque

from ..engine.loop import Loop
from ..errors import InternalError
from ..observe import Counters, Logger, Logs
from .file_lock import FileLock
from .notify import ServiceNotifier
from .paths import TunnelPaths
from .service import TunnelService

_LOCK_TIMEOUT_S = 2.0
_MAX_ERRORS = 20
_ERROR_WINDOW_S = 10.0


class LinuxService:
    """Holds the tunnel's lock for life, turns the loop, ends on SIGTERM and SIGINT; SIGHUP reopens the log."""

    def __init__(
        self,
        paths: TunnelPaths,
        service: TunnelService,
        loop: Loop,
        logs: Logs,
        notifier: ServiceNotifier,
        counters: Counters,
        logger: Logger,
    ) -> None:
        self._lock = FileLock(paths.pid)
        self._service = service
        self._loop = loop
        self._logs = logs
        self._notifier = notifier
        self._counters = counters
        self._logger = logger
        self._recent_errors: deque[float] = deque(maxlen=_MAX_ERRORS)
        self._failure: InternalError | None = None

    def run(self) -> None:
        """Until a signal, or ``daemon stop``.

        Raises RefusedError if another daemon has this tunnel, DriverError if the control socket cannot be made,
        InternalError if mistakes of ours came too fast to go on.
        """
        os.umask(0o077)
        self._lock.acquire(_LOCK_TIMEOUT_S)
        self._loop.on_error = self._callback_failed
        try:
            self._catch_signals()
            self._service.start()
            self._notifier.ready("serving the control socket")
            self._watchdog()
            self._loop.run()
        finally:
            self._notifier.stopping()
            self._service.stop()
            self._loop.close()
            self._lock.release()
        if self._failure is not None:
            raise self._failure

    def _catch_signals(self) -> None:
        for signum in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(signum, self._loop.stop)
        self._loop.add_signal_handler(signal.SIGHUP, self._logs.reopen)

    def _watchdog(self) -> None:
        interval_s = self._notifier.watchdog_interval_s
        if interval_s is not None:
            self._notifier.watchdog()
            self._loop.call_at(self._loop.now() + interval_s, self._watchdog)

    def _callback_failed(self, error: Exception) -> None:
        """One mistake costs one event; twenty within ten seconds cost the process, whose manager starts it anew."""
        self._counters.add("internal_errors")
        self._logger.error("callback_failed", exc_info=error)
        now = self._loop.now()
        self._recent_errors.append(now)
        if len(self._recent_errors) == _MAX_ERRORS and now - self._recent_errors[0] < _ERROR_WINDOW_S:
            self._failure = InternalError(f"{_MAX_ERRORS} errors within {_ERROR_WINDOW_S:g} s", hint="see the log")
            self._loop.stop()
