# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""One heap for the timers of all peers; finding the next deadline never looks at more than its top.

Timers move with every batch of packets, nearly always to a later time. The heap therefore holds one *wake-up* per peer,
at or before the peer's earliest deadline: moving a deadline back costs nothing, and a wake-up that comes too
early puts itself back. Entries that no longer match their peer's ``wake_at`` are skipped when they surface.
"""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .timers import PeerTimers


class TimerQueue:
    """is_earlier: a wake-up came to stand before all others since ``next_wake`` was asked."""

    __slots__ = ("_heap", "_sequence", "_stale", "is_earlier")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, PeerTimers]] = []
        # Breaks ties, so that timers are never compared and equal times fire in the order they were set.
        self._sequence = 0
        self._stale = 0
        self.is_earlier = False

    def wake(self, timers: PeerTimers, when: float) -> None:
        """Make sure that ``timers`` are looked at by ``when``."""
        if when >= timers.wake_at:
            return
        if timers.wake_at < math.inf:
            self._left_stale()
        timers.wake_at = when
        self._sequence += 1
        entry = (when, self._sequence, timers)
        heapq.heappush(self._heap, entry)
        if self._heap[0] is entry:
            self.is_earlier = True

    def forget(self, timers: PeerTimers) -> None:
        """Stop looking at ``timers``, whose peer is stopped; the heap does not keep the peer alive for long."""
        if timers.wake_at < math.inf:
            timers.wake_at = math.inf
            self._left_stale()

    def next_wake(self) -> float | None:
        """When to call ``pop_due`` next; may be earlier than the earliest deadline, never later."""
        self.is_earlier = False
        heap = self._heap
        while heap:
            when, _, timers = heap[0]
            if timers.wake_at == when:
                earliest = timers.earliest()
                if earliest < math.inf:
                    return when
                timers.wake_at = math.inf
            else:
                self._stale -= 1
            heapq.heappop(heap)
        return None

    def pop_due(self, now: float) -> PeerTimers | None:
        """The next peer whose wake-up has come, or None; perhaps none of its timers is due yet.

        Take its due timers, then put it back with ``PeerTimers.reschedule``.
        """
        heap = self._heap
        while heap and heap[0][0] <= now:
            when, _, timers = heapq.heappop(heap)
            if timers.wake_at != when:
                self._stale -= 1
                continue
            timers.wake_at = math.inf
            return timers
        return None

    def _left_stale(self) -> None:
        self._stale += 1
        if self._stale > 64 and self._stale > len(self._heap) // 2:
            self._heap[:] = [entry for entry in self._heap if entry[2].wake_at == entry[0]]
            heapq.heapify(self._heap)
            self._stale = 0

    def __len__(self) -> int:
        """Entries in the heap, stale ones included."""
        return len(self._heap)
