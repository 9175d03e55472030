# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The nonces of a run of counters, written by one call into memory that is used again."""

from __future__ import annotations

import struct
from collections.abc import Sequence

_NONCE_BYTES = 12


class Nonces:
    """Up to ``capacity`` nonces of 4 zero bytes and a little-endian counter (WireGuard paper 5.4.6)."""

    def __init__(self, capacity: int) -> None:
        self._memory = bytearray(_NONCE_BYTES * capacity)
        view = memoryview(self._memory)
        self._views = [view[i * _NONCE_BYTES : (i + 1) * _NONCE_BYTES] for i in range(capacity)]
        self._structs = tuple(struct.Struct("<" + "4xQ" * count) for count in range(capacity + 1))

    def of(self, counters: Sequence[int]) -> list[memoryview]:
        """Valid until the next call. Raises IndexError beyond the capacity."""
        count = len(counters)
        self._structs[count].pack_into(self._memory, 0, *counters)
        return self._views[:count]
