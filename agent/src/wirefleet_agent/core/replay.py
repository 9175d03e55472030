# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The replay window: which counters of a session were seen (RFC 6479 semantics, checklist 27).

One int is the bitmap: bit d stands for the counter d below the highest one seen. The highest counter and
the 8128 below it are remembered; anything older is refused.
"""

from __future__ import annotations

from .constants import REJECT_AFTER_MESSAGES, REPLAY_WINDOW

_MASK = (1 << (REPLAY_WINDOW + 1)) - 1


class ReplayWindow:
    """Ask with ``check`` before the AEAD, tell with ``commit`` after it: a forged counter must not move the window."""

    __slots__ = ("_highest", "_seen")

    def __init__(self) -> None:
        self._highest = -1
        self._seen = 0

    def check(self, counter: int) -> bool:
        """Whether ``commit`` would take the counter now; changes nothing."""
        behind = self._highest - counter
        if behind < 0:
            return counter < REJECT_AFTER_MESSAGES
        return behind <= REPLAY_WINDOW and not self._seen >> behind & 1

    def commit(self, counter: int) -> bool:
        """Mark an authenticated counter as seen; False if it is a replay, too old or past the limit."""
        behind = self._highest - counter
        if behind < 0:
            if counter >= REJECT_AFTER_MESSAGES:
                return False
            if behind < -REPLAY_WINDOW:
                self._seen = 1
            else:
                self._seen = (self._seen << -behind & _MASK) | 1
            self._highest = counter
            return True
        if behind > REPLAY_WINDOW:
            return False
        bit = 1 << behind
        if self._seen & bit:
            return False
        self._seen |= bit
        return True

    def commit_run(self, first: int, count: int) -> bool:
        """Mark ``count`` authenticated consecutive counters; False, and nothing changed, if one is not fresh.

        count: at least 1. One update for a whole batch.
        """
        last = first + count - 1
        if last >= REJECT_AFTER_MESSAGES or count > REPLAY_WINDOW:
            return False
        run = (1 << count) - 1
        ahead = last - self._highest
        if ahead >= count:
            if ahead > REPLAY_WINDOW:
                self._seen = run
            else:
                self._seen = (self._seen << ahead & _MASK) | run
            self._highest = last
            return True
        if ahead > 0:
            shifted = self._seen << ahead
        else:
            if self._highest - first > REPLAY_WINDOW:
                return False
            shifted = self._seen
            run <<= -ahead
        if shifted & run:
            return False
        self._seen = (shifted | run) & _MASK
        self._highest = max(self._highest, last)
        return True
