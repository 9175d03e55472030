# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Handshakes per source address, a token bucket each: 20 per second, burst 5 (checklist 25)."""

from __future__ import annotations

import ipaddress

from ..wire import Endpoint
from .constants import RATE_LIMIT_BURST, RATE_LIMIT_FORGET_S, RATE_LIMIT_PER_S


class RateLimiter:
    """IPv6 sources count by their /64: an attacker has as many addresses in it as it likes.

    Only sources with a valid mac2 get here, so the table holds addresses that somebody really owns; a bucket
    that has been left alone for a second is full again and is forgotten.
    """

    __slots__ = ("_buckets", "_swept_at")

    def __init__(self) -> None:
        self._buckets: dict[bytes, tuple[float, float]] = {}
        self._swept_at = float("-inf")

    def allow(self, source: Endpoint, now: float) -> bool:
        """Take one token of the source's; False if it has none."""
        self._sweep(now)
        key = _bucket_of(source)
        tokens, last = self._buckets.get(key, (float(RATE_LIMIT_BURST), now))
        tokens = min(float(RATE_LIMIT_BURST), tokens + (now - last) * RATE_LIMIT_PER_S)
        is_allowed = tokens >= 1
        self._buckets[key] = (tokens - 1 if is_allowed else tokens, now)
        return is_allowed

    def __len__(self) -> int:
        return len(self._buckets)

    def _sweep(self, now: float) -> None:
        if now - self._swept_at < RATE_LIMIT_FORGET_S:
            return
        self._swept_at = now
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if now - bucket[1] < RATE_LIMIT_FORGET_S}


def _bucket_of(source: Endpoint) -> bytes:
    packed = ipaddress.ip_address(source.host).packed
    return packed if len(packed) == 4 else packed[:8]
