# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Whether a member is there: one object per member that we ask.

    UNPROVEN -- answer --> ALIVE <-- answer -- DOWN
        \\-- silent for misses x interval --> DOWN <-- the same -- ALIVE

A member is asked every interval, on a grid that does not drift: a late turn of the loop does not move the next one. It
is down when misses x interval passed since its last answer *came*, so a member that dies is noticed after
(misses - 1) to misses intervals, 1.25 s on average at 500 ms and three misses. That alone would be hasty: where two
answers in a row are lost, the third one races with the deadline. So a member that owes an answer is asked at *quarter*
intervals until it gives one, which makes eight questions in vain before it counts as down: a link that loses a tenth of
its packets each way loses eight in a row about once in three days at 500 ms.

An answer that took longer than misses x interval is no answer: packets that take that long serve nobody.

The round-trip time is smoothed as TCP does (RFC 6298, 2.2 and 2.3: alpha 1/8, beta 1/4).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from enum import Enum

_OUTSTANDING = 64
_ALPHA = 1 / 8
_BETA = 1 / 4
_VARIANCES = 4
_HASTE = 1 / 4


class State(Enum):
    """UNPROVEN: just made, has not answered yet and not failed to."""

    UNPROVEN = "unproven"
    ALIVE = "alive"
    DOWN = "down"


class Liveness:
    """Bookkeeping of one member's answers. phase: 0..1, where in the interval its turn is."""

    __slots__ = (
        "_answered", "_asked_last", "_grid", "_is_excused", "_outstanding", "_since", "interval_s", "misses",
        "replied_at", "replies", "requests", "rtt_s", "rtt_variance_s", "sequence", "state", "well_since",
    )  # fmt: skip

    def __init__(self, interval_s: float, misses: int, now: float, phase: float = 0.0) -> None:
        self.interval_s = interval_s
        self.misses = misses
        self.state = State.UNPROVEN
        self.sequence = 0
        self.rtt_s: float | None = None
        self.rtt_variance_s = 0.0
        self.replied_at: float | None = None
        self.well_since: float | None = None
        self.requests = self.replies = 0
        self._since = now
        self._answered = 0
        self._asked_last = -math.inf
        self._is_excused = False
        self._grid = now + phase * interval_s
        self._outstanding: OrderedDict[int, float] = OrderedDict()

    @property
    def heard(self) -> int:
        """The highest sequence that was answered, 0 none."""
        return self._answered

    @property
    def patience_s(self) -> float:
        """How long a silence may last."""
        return self.misses * self.interval_s

    def silence_s(self, now: float) -> float:
        """Since the last answer, infinite if there was none."""
        return math.inf if self.replied_at is None else now - self.replied_at

    def missed(self, now: float) -> int:
        """Whole intervals without an answer."""
        return max(0, int((now - self._last_sign) / self.interval_s))

    def next_request(self, now: float) -> float:
        """When to ask next; may lie in the past."""
        if self.state is not State.ALIVE or self.sequence not in self._outstanding:
            return self._grid
        wait_s = self.interval_s * _HASTE
        if self.rtt_s is not None:
            wait_s = max(wait_s, self.rtt_s + _VARIANCES * self.rtt_variance_s)
        return min(self._grid, self._asked_last + wait_s)

    def request(self, now: float) -> int:
        """It is asked now: the sequence to use. Also for a question out of turn, which does not move the grid."""
        if now >= self._grid:
            # What was slept through is left out, the grid stays.
            self._grid += self.interval_s * (1 + math.floor((now - self._grid) / self.interval_s))
        self.sequence += 1
        self.requests += 1
        self._asked_last = now
        self._outstanding[self.sequence] = now
        if len(self._outstanding) > _OUTSTANDING:
            self._outstanding.popitem(last=False)
        return self.sequence

    def reply(self, sequence: int, now: float) -> bool:
        """An answer. False: to nothing that we asked, a second one, or so late that it is none."""
        asked_at = self._outstanding.pop(sequence, None)
        if asked_at is None:
            return False
        rtt_s = max(0.0, now - asked_at)
        if rtt_s >= self.patience_s:
            return False
        self._measure(rtt_s)
        self.replies += 1
        self._answered = max(self._answered, sequence)
        self.replied_at = now
        self._is_excused = False
        if self.state is not State.ALIVE:
            self.well_since = now
            self.state = State.ALIVE
        return True

    def check(self, now: float) -> bool:
        """Look at the clock; True if the member has just gone down."""
        if self.state is State.DOWN or now < self.deadline:
            return False
        self.state = State.DOWN
        self.well_since = None
        return True

    @property
    def deadline(self) -> float:
        """When it counts as down unless an answer comes; infinite while it is."""
        return math.inf if self.state is State.DOWN else self._last_sign + self.patience_s

    def excuse(self, now: float, grace_s: float | None = None) -> None:
        """Time passed in which nobody could have answered: it has at least ``grace_s`` from now, None: its patience.

        With a grace only once until it answers: a process that is always late must not keep a dead member alive.
        """
        if grace_s is None:
            self._outstanding.clear()
            grace_s = self.patience_s
        elif self._is_excused:
            return
        self._is_excused = True
        self._since = max(self._since, now - self.patience_s + min(grace_s, self.patience_s))
        self._grid = now

    @property
    def _last_sign(self) -> float:
        return self._since if self.replied_at is None else max(self.replied_at, self._since)

    def _measure(self, rtt_s: float) -> None:
        if self.rtt_s is None:
            self.rtt_s, self.rtt_variance_s = rtt_s, rtt_s / 2
            return
        self.rtt_variance_s += _BETA * (abs(self.rtt_s - rtt_s) - self.rtt_variance_s)
        self.rtt_s += _ALPHA * (rtt_s - self.rtt_s)
