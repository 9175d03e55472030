# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Medians, percentiles, and ratios of pairs that were measured side by side.

The speed of a virtual machine drifts by a tenth within minutes, so medians of two series say little about each other.
What was measured right after one another drifted together: the ratio is the median of the pairs' ratios.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the two middle ones. Raises ValueError for none."""
    if not values:
        raise ValueError("nothing has no median")
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least ``percent`` of all values do not exceed (nearest rank, never interpolated)."""
    if not values:
        raise ValueError("nothing has no percentiles")
    rank = math.ceil(percent / 100 * len(values))
    return sorted(values)[max(rank, 1) - 1]


def pair_ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Ours by theirs, pair by pair; a pair whose divisor is 0 has no ratio. Raises ValueError for unequal lengths."""
    return [our / their for our, their in zip(ours, theirs, strict=True) if their]


def spread(values: Sequence[float]) -> float:
    """(greatest - least) / median; 0 for fewer than two values."""
    return (max(values) - min(values)) / median(values) if len(values) > 1 else 0.0
