# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Windows' service control manager would do about a service that has died. Pure.

Source: documentation of SERVICE_FAILURE_ACTIONS: the n-th failure takes the n-th action, further ones the last;
the count begins anew after a reset period without a failure. A service that reported SERVICE_STOPPED has not failed,
unless it gave an error and failure_actions_on_non_crash_failure is set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

INFINITE_S = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Recovery:
    """An action and the time until it is taken."""

    action: str
    delay_s: float


def is_failure(service: Mapping[str, Any], *, said_stopped: bool, win32_exit_code: int) -> bool:
    """Whether the end of a service's process is a failure."""
    if not said_stopped:
        return True
    return bool(service.get("failure_actions_on_non_crash_failure")) and win32_exit_code != 0


def decide(service: Mapping[str, Any], earlier_failures_s: Sequence[float], now_s: float) -> Recovery | None:
    """What to do about a failure now, after those at earlier times; None for nothing."""
    actions = service.get("failure_actions") or []
    if not actions:
        return None
    number = count_failures(service, earlier_failures_s, now_s)
    action = actions[min(number, len(actions) - 1)]
    if action["type"] == "none":
        return None
    return Recovery(str(action["type"]), float(action["delay_ms"]) / 1000)


def count_failures(service: Mapping[str, Any], earlier_failures_s: Sequence[float], now_s: float) -> int:
    """How many of the earlier failures still count: those without a whole reset period behind them."""
    reset_s = float(service.get("failure_reset_period_sec") or 0)
    count = 0
    following = now_s
    for moment in reversed(earlier_failures_s):
        if reset_s != INFINITE_S and following - moment > reset_s:
            break
        count += 1
        following = moment
    return count
