# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""TAI64N stamps: 8 bytes of seconds, 4 of nanoseconds, big-endian, so that byte order is time order (checklist 5)."""

from __future__ import annotations

import struct

from .constants import TAI64_BASE, TIMESTAMP_MASK_NS

STAMP_BYTES = 12
NEVER = bytes(STAMP_BYTES)

_STAMP = struct.Struct(">QI")
_NS_PER_S = 1_000_000_000


def stamp_of(seconds: int, nanoseconds: int) -> bytes:
    """The stamp of a wall-clock time since the Unix epoch."""
    return _STAMP.pack(TAI64_BASE + seconds, nanoseconds)


def wall_time(stamp: bytes) -> tuple[int, int]:
    """(seconds, nanoseconds) since the Unix epoch."""
    seconds, nanoseconds = _STAMP.unpack(stamp)
    return seconds - TAI64_BASE, nanoseconds


def masked(stamp: bytes) -> bytes:
    """The stamp without its low 24 bits of nanoseconds: how fast our clock runs is nobody's business."""
    seconds, nanoseconds = _STAMP.unpack(stamp)
    return _STAMP.pack(seconds, nanoseconds & ~TIMESTAMP_MASK_NS)


def masked_after(stamp: bytes, last: bytes) -> bytes:
    """``masked(stamp)``, or the next masked value after ``last`` if the wall clock has not moved past it.

    Peers take only strictly greater stamps from us: without this a clock that stepped back would lock
    us out until it had caught up.
    """
    wanted = masked(stamp)
    if wanted > last:
        return wanted
    seconds, nanoseconds = _STAMP.unpack(last)
    nanoseconds = (nanoseconds & ~TIMESTAMP_MASK_NS) + TIMESTAMP_MASK_NS + 1
    if nanoseconds >= _NS_PER_S:
        seconds, nanoseconds = seconds + 1, 0
    return _STAMP.pack(seconds, nanoseconds)
