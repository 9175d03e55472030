# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Catches what a callback of the loop lets through: one bug must not cut a host off, an endless one must not hide."""

from __future__ import annotations

from collections import deque

import structlog

from .loop import Loop

_MAX_FAILURES = 20
_WINDOW_S = 60.0

_log = structlog.get_logger(room="engine")


class Supervisor:
    """Logs the errors of a loop's callbacks; ends the loop after 20 of them within a minute."""

    def __init__(self, loop: Loop, *, max_failures: int = _MAX_FAILURES) -> None:
        self._loop = loop
        self._times: deque[float] = deque(maxlen=max_failures)
        self.failures = 0
        self.fatal: Exception | None = None
        loop.on_error = self.handle

    def handle(self, error: Exception) -> None:
        """``Loop.on_error``. ``fatal`` holds the error that ended the loop."""
        self.failures += 1
        now = self._loop.now()
        _log.error("callback_failed", error=str(error), exc_info=error)
        self._times.append(now)
        if len(self._times) == self._times.maxlen and now - self._times[0] < _WINDOW_S:
            self.fatal = error
            _log.critical("too_many_failures", failures=self.failures)
            self._loop.stop()
