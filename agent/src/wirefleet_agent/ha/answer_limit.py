# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""How many heartbeats of one peer are answered: a token bucket, 128 per second, burst 128.

A spoke at the shortest interval (50 ms) that asks at quarter intervals makes 80 per second and a few probes.
"""

from __future__ import annotations

PER_S = 128.0
BURST = 128.0


class AnswerLimit:
    __slots__ = ("_at", "_tokens")

    def __init__(self, now: float) -> None:
        self._tokens = BURST
        self._at = now

    def allow(self, now: float) -> bool:
        """Take one token; False if there is none."""
        tokens = min(BURST, self._tokens + (now - self._at) * PER_S)
        self._at = now
        if tokens < 1:
            self._tokens = tokens
            return False
        self._tokens = tokens - 1
        return True
