# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast hosts notice that a hub is gone, and when they go back: values of the inventory.

A hub that misses ``misses`` heartbeats in a row is down, so ``interval_ms * misses`` is the time in which a failure is
seen; the switch itself takes milliseconds. The bounds are the agent's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

INTERVAL_MS = range(50, 10_001)
MISSES = range(2, 21)
DEFAULT_HEARTBEAT_PORT = 51821
DEFAULT_CLUSTER_PORT = 51822
DEFAULT_HOLD_S = 30
MAX_HOLD_S = 3600
Policy = Literal["active_standby", "priority_preempt"]
POLICIES = ("active_standby", "priority_preempt")
DEFAULT_POLICY: Policy = "active_standby"
HEARTBEAT_HINT = "normal (500 ms, 3 misses), fast (100 ms, 3 misses), or {interval_ms: 50-10000, misses: 2-20}"


@dataclass(frozen=True)
class Heartbeat:
    """Of the whole fleet: both ends of a heartbeat must agree about it."""

    interval_ms: int
    misses: int


PRESETS: Mapping[str, Heartbeat] = {"normal": Heartbeat(500, 3), "fast": Heartbeat(100, 3)}


def parse_heartbeat(value: object) -> Heartbeat:
    """A preset's name, or a mapping of ``interval_ms`` and ``misses``; a missing one is the preset normal's.

    Raises ValueError.
    """
    if isinstance(value, str) and value in PRESETS:
        return PRESETS[value]
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is no heartbeat")
    unknown = sorted(str(key) for key in value if key not in ("interval_ms", "misses"))
    if unknown:
        raise ValueError(f"a heartbeat has no {', '.join(unknown)}")
    normal = PRESETS["normal"]
    return Heartbeat(
        interval_ms=_number(value.get("interval_ms", normal.interval_ms), "interval_ms", INTERVAL_MS),
        misses=_number(value.get("misses", normal.misses), "misses", MISSES),
    )


def _number(value: object, name: str, allowed: range) -> int:
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
        raise ValueError(f"{name} {value!r} is not a number from {allowed.start} to {allowed.stop - 1}")
    return value
