# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Rows: datagrams of one size at equal distances in one buffer, the last of which may be shorter.

A train that UDP GRO received is rows, back to back; so are full slots of a batch that follow each other.
"""

from __future__ import annotations

from dataclasses import dataclass

# Views cost about 200 bytes each: so many are kept before those of sizes that were are let go.
_MAX_KEPT_VIEWS = 8192


@dataclass(slots=True)
class Rows:
    """``count`` rows, the first at ``start``, each ``stride`` after the other, of ``size`` bytes, the last of
    ``last_size``."""

    start: int
    stride: int
    count: int
    size: int
    last_size: int

    def begin(self, row: int) -> int:
        return self.start + row * self.stride

    def length(self, row: int) -> int:
        return self.size if row < self.count - 1 else self.last_size

    @property
    def whole(self) -> int:
        """How many rows have the full size."""
        return self.count if self.last_size == self.size else self.count - 1


class RowViews:
    """Views of one buffer, row by row; made once and kept."""

    def __init__(self) -> None:
        self._views: dict[tuple[int, int, int, int], list[memoryview]] = {}
        self._kept = 0

    def of(self, view: memoryview, start: int, stride: int, length: int, count: int) -> list[memoryview]:
        """At least ``count`` views of ``length`` bytes, the first at ``start``, each ``stride`` after the other.

        view: always the same buffer.
        """
        key = (start, stride, length, count + 15 & ~15)
        views = self._views.get(key)
        if views is None:
            if self._kept >= _MAX_KEPT_VIEWS:
                self._views.clear()
                self._kept = 0
            begins = range(start, start + key[3] * stride, stride)
            views = self._views[key] = [view[begin : begin + length] for begin in begins]
            self._kept += len(views)
        return views
