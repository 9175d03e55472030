# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """rounds: interleaved rounds per measure. seconds: of each transfer. pings: per measurement."""

    rounds: int = 5
    seconds: float = 5.0
    pings: int = 2000
    is_forced: bool = False

    def quick(self) -> Options:
        """One round of two seconds: to see that it works, not to compare anything."""
        return Options(rounds=1, seconds=2.0, pings=500, is_forced=self.is_forced)
