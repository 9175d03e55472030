# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""How long a member that came back has to be well before it counts as well.

A link that comes and goes must not take the traffic with it each time. Every time that a member goes down is a flap;
the hold after it doubles with each flap that is remembered, and flaps are forgotten one by one while it is well:

    hold = 2 s x 2^(flaps - 1), at most 300 s          one flap is forgotten after every 300 s of being well

=====  ====  ====  ====  ====  =====  ======  ======  ======
flaps  1     2     3     4     5      6       7       8
hold   2 s   4 s   8 s   16 s  32 s   64 s    128 s   256 s
=====  ====  ====  ====  ====  =====  ======  ======  ======

A link that is down more often than every 300 s so ends with a hold of 300 s, and a link whose times of being well are
shorter than its hold is never chosen again as long as another one is well. A held member still serves as the last
resort (see ``decide``).
"""

from __future__ import annotations

import math

BASE_HOLD_S = 2.0
MAX_HOLD_S = 300.0
FORGET_S = 300.0
_MAX_FLAPS = 16


class Hysteresis:
    """Of one member."""

    __slots__ = ("_flaps", "_well_since")

    def __init__(self) -> None:
        self._flaps = 0
        self._well_since: float | None = None

    def went_down(self, now: float) -> None:
        """Also when it only stopped to forward. Idempotent until ``came_back``."""
        if self._well_since is None and self._flaps:
            return
        self._flaps = min(self.flaps(now) + 1, _MAX_FLAPS)
        self._well_since = None

    def came_back(self, now: float) -> None:
        """Idempotent until ``went_down``."""
        if self._well_since is None:
            self._well_since = now

    def flaps(self, now: float) -> int:
        """How many are remembered."""
        if self._well_since is None:
            return self._flaps
        return max(0, self._flaps - int((now - self._well_since) / FORGET_S))

    def hold_s(self, now: float) -> float:
        """The whole hold after the last flap."""
        flaps = self.flaps(now)
        return 0.0 if not flaps else min(MAX_HOLD_S, BASE_HOLD_S * 2.0 ** (flaps - 1))

    def held_until(self, now: float) -> float:
        """It counts as well from then on; -inf: never went down; inf: is down."""
        if not self._flaps:
            return -math.inf
        if self._well_since is None:
            return math.inf
        return self._well_since + self.hold_s(now)
