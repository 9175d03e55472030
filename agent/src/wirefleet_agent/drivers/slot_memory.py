# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Where the slots of a batch lie in memory, for interfaces that take addresses."""

from __future__ import annotations

import ctypes

from ..wire.batch import Batch

_KEPT_BATCHES = 8  # a pump has four; a change of the MTU makes new ones

copy_memory = ctypes.memmove


class SlotMemory:
    """Remembers the addresses of batches it has seen, which keeps their memory alive and in place."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Batch, object, list[int]]] = {}

    def rooms_of(self, batch: Batch) -> list[int]:
        """For each slot the address of its payload room."""
        known = self._known.get(id(batch))
        return self._learn(batch) if known is None else known[2]

    def knows(self, batch_id: int) -> bool:
        return batch_id in self._known

    def _learn(self, batch: Batch) -> list[int]:
        if len(self._known) >= _KEPT_BATCHES:
            self._known.clear()
        pin = ctypes.c_char.from_buffer(batch.buffer)
        first = ctypes.addressof(pin) + batch.headroom
        rooms = [first + i * batch.stride for i in range(batch.capacity)]
        self._known[id(batch)] = (batch, pin, rooms)
        return rooms
