# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Round-trip times, every one of them."""

from __future__ import annotations

import re

from .commands import run
from .errors import BenchError
from .stage import Place

_TIME = re.compile(r"icmp_seq=\d+ .*time=([0-9.]+) ms")
_SENT = re.compile(r"(\d+) packets transmitted, (\d+) received")
_GRACE_S = 10.0


def parse_times_us(text: str) -> list[float]:
    """Microseconds, in the order of the answers."""
    return [float(ms) * 1000 for ms in _TIME.findall(text)]


def parse_loss(text: str) -> float:
    """The share of pings that nobody answered. Raises BenchError if ping told no total."""
    match = _SENT.search(text)
    if match is None or int(match[1]) == 0:
        raise BenchError(f"ping told no total: {text.strip()[-300:]!r}")
    return 1 - int(match[2]) / int(match[1])


def round_trips(source: Place, address: str, *, count: int, interval_s: float) -> tuple[list[float], float]:
    """(microseconds of each answer, share that was lost) of so many pings."""
    command = ("ping", "-n", "-c", str(count), "-i", f"{interval_s:g}", "-W", "2", address)
    text = run(source.namespace, *command, timeout_s=3 * count * interval_s + _GRACE_S, check=False).stdout
    times_us = parse_times_us(text)
    if not times_us:
        raise BenchError(f"no ping to {address} was answered")
    return times_us, parse_loss(text)
