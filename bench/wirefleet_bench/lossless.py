# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The greatest rate at which next to nothing is lost, by a bounded search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

LOSS_LIMIT = 0.001
# Less than this share of what was asked for, and the sender is the limit.
SENT_SHARE = 0.95


class Trial(NamedTuple):
    """Packets per second that left the sender and that arrived; loss: the share that did not."""

    sent_pps: float
    received_pps: float
    loss: float


@dataclass(frozen=True)
class Lossless:
    """lossless_pps: of the best trial within the loss limit, 0 if none was. greatest_pps: of any trial.

    by_sender: the search ended because the sender could not go faster, so the tunnel may be able to do more.
    """

    lossless_pps: float
    greatest_pps: float
    by_sender: bool
    trials: int


def search(
    trial: Callable[[float], Trial],
    *,
    start_pps: float,
    growth: float = 1.5,
    precision: float = 0.05,
    max_trials: int = 12,
) -> Lossless:
    """Grow the offered rate until it fails, then halve the interval between what passed and what failed.

    A rate fails when it loses more than the limit at its second try as well, and the sender is the limit when it is too
    slow at the second try: one hiccup of the machine is no verdict. It ends when the interval is narrower than
    ``precision``, or after ``max_trials``.
    """
    passed_pps, failed_pps = 0.0, 0.0
    best_pps = greatest_pps = 0.0
    offered_pps, trials, has_failed_once = start_pps, 0, False
    while trials < max_trials:
        trials += 1
        seen = trial(offered_pps)
        greatest_pps = max(greatest_pps, seen.received_pps)
        is_lossless = seen.loss <= LOSS_LIMIT
        is_sender_slow = seen.sent_pps < SENT_SHARE * offered_pps
        if is_lossless:
            best_pps = max(best_pps, seen.received_pps)
        if is_lossless and not is_sender_slow:
            passed_pps = offered_pps
        elif not has_failed_once:
            has_failed_once = True
            continue
        elif is_lossless:
            return Lossless(best_pps, greatest_pps, True, trials)
        else:
            failed_pps = offered_pps
        has_failed_once = False
        if failed_pps and failed_pps - passed_pps < precision * failed_pps:
            break
        offered_pps = (passed_pps + failed_pps) / 2 if failed_pps else passed_pps * growth
    return Lossless(best_pps, greatest_pps, False, trials)
