# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Notices that the host slept, where nobody tells: Linux' monotonic clock stands meanwhile, its boot clock does not.

The two are compared once per second; steps of the wall clock move neither. Source: clock_gettime(2).
"""

from __future__ import annotations

from collections.abc import Callable

from ..engine import Handle, Loop
from ..observe import Logger
from .deadline import BootClock

_LOOK_S = 1.0
_SLEPT_S = 1.0


class SleepWatch:
    """``start`` with the loop; on_resumed is called from it."""

    def __init__(self, loop: Loop, clock: BootClock, on_resumed: Callable[[], None], logger: Logger) -> None:
        self._loop = loop
        self._clock = clock
        self._on_resumed = on_resumed
        self._logger = logger
        self._asleep_s = 0.0
        self._timer: Handle | None = None

    def start(self) -> None:
        self._asleep_s = self._clock.now() - self._loop.now()
        self._timer = self._loop.call_at(self._loop.now() + _LOOK_S, self._look)

    def stop(self) -> None:
        """Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        asleep_s = self._clock.now() - self._loop.now()
        slept_s, self._asleep_s = asleep_s - self._asleep_s, asleep_s
        self._timer = self._loop.call_at(self._loop.now() + _LOOK_S, self._look)
        if slept_s >= _SLEPT_S:
            self._logger.info("host_resumed", slept_s=round(slept_s, 1))
            self._on_resumed()
