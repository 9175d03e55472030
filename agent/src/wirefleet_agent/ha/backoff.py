# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""How long to wait before the next attempt: 1, 2, 4 ... 60 s, each shortened by up to a half at random.

The jitter keeps a thousand spokes from calling a hub that comes back in the same moment.
"""

from __future__ import annotations

from collections.abc import Callable

BASE_S = 1.0
CAP_S = 60.0
_JITTER = 0.5

Jitter = Callable[[], float]
"""A number from 0 (included) to 1 (excluded), another one with every call."""


class Backoff:
    def __init__(self, jitter: Jitter, *, base_s: float = BASE_S, cap_s: float = CAP_S) -> None:
        self._jitter = jitter
        self._base_s = base_s
        self._cap_s = cap_s
        self.attempts = 0

    def next_delay_s(self) -> float:
        """An attempt is made now: the wait before the next one."""
        delay_s = min(self._cap_s, self._base_s * 2.0 ** min(self.attempts, 16))
        self.attempts += 1
        return delay_s * (1 - _JITTER * self._jitter())

    def reset(self) -> None:
        """It worked."""
        self.attempts = 0
