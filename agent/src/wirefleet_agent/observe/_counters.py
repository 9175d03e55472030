# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Named counters that only ever grow, and the drop counters of the core in a readable form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ..drops import DropReason


class Counters:
    """The host's own events (``config_applied``, ``config_reverted`` ...), by name."""

    def __init__(self) -> None:
        self._values: Counter[str] = Counter()

    def add(self, name: str, amount: int = 1) -> None:
        """Raises ValueError for a negative amount: a counter that shrinks is a gauge."""
        if amount < 0:
            raise ValueError("a counter never goes down")
        self._values[name] += amount

    def snapshot(self) -> dict[str, int]:
        """A copy, ordered by name."""
        return dict(sorted(self._values.items()))


@dataclass(slots=True)
class TunnelCounts:
    """What happened to one tunnel since its interface was made; the engine counts, metrics show it.

    initiated, responded: handshakes that made a session. given_up: peers that answered none of 20 initiations.
    """

    initiated: int = 0
    responded: int = 0
    given_up: int = 0
    bind_failures: int = 0
    underlay_changes: int = 0


def drop_counts(drops: Mapping[DropReason, int]) -> dict[str, int]:
    """The reasons that happened at least once, by the names operators see, ordered by name."""
    return dict(sorted((reason.value, count) for reason, count in drops.items() if count))
