# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass

_PINGS_PER_S = 400


@dataclass(frozen=True)
class Options:
    """rounds: interleaved rounds per measure. seconds: of each transfer."""

    rounds: int = 5
    seconds: float = 5.0
    is_forced: bool = False

    @property
    def pings(self) -> int:
        """Per measurement, 2 ms apart: 2,000 by default."""
        return round(self.seconds * _PINGS_PER_S)

    def quick(self) -> Options:
        """One round of two seconds: to see that it works, not to compare anything."""
        return Options(rounds=1, seconds=2.0, is_forced=self.is_forced)
