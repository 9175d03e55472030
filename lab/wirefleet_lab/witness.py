# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this machine itself stood still while something was measured on it, or its wall clock was set.

A virtual machine that is paused for a second looks like an outage of everything; so does a step of the clock to a ping
that writes the time of day beside each answer.
"""

from __future__ import annotations

import threading
import time
from types import TracebackType

_RHYTHM_S = 0.005


class Witness:
    """A thread during a ``with`` block that wants to run every five milliseconds. stall_s: the worst that it saw."""

    def __init__(self) -> None:
        self.stall_s = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Witness:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        last, wall = time.monotonic(), time.time()
        while not self._ended.wait(_RHYTHM_S):
            now, wall_now = time.monotonic(), time.time()
            late_s, step_s = now - last - _RHYTHM_S, abs((wall_now - wall) - (now - last))
            self.stall_s = max(self.stall_s, late_s, step_s)
            last, wall = now, wall_now
