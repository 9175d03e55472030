# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a measure tells: named figures with a unit, one value per sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

# Figure -> value, of one measurement of one implementation.
Sample = Mapping[str, float]


class Better(Enum):
    """Which way a figure improves; NEITHER is there to explain the others."""

    HIGHER = "higher"
    LOWER = "lower"
    NEITHER = "neither"


@dataclass(frozen=True)
class Figure:
    """key: its name in JSON. digits: after the point, in the table."""

    key: str
    title: str
    unit: str
    better: Better
    digits: int = 0

    @property
    def in_ratio(self) -> bool:
        """Whether ours divided by theirs means anything."""
        return self.better is not Better.NEITHER
