# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The unit of the data plane: one flat buffer cut into equal slots, made once and used again for ever.

::

    | headroom | payload room          | headroom | payload room          | ...
    |<---------- stride -------------->|
"""

from __future__ import annotations

from .endpoint import Endpoint, LocalAddress

# Views cost about 200 bytes each: so many are kept before those of sizes that were are let go.
_MAX_KEPT_VIEWS = 8192


class Batch:
    """Up to ``capacity`` payloads. Entries at and beyond ``count`` are leftovers.

    stride: bytes from one slot to the next; headroom: bytes left free before each payload.
    rooms: for each slot the whole payload room (stride - headroom), what a driver reads into.
    lengths, endpoints, locals: by slot; an endpoint of None means "do not send" on the way out.
    segment_sizes: by slot; 0, or the slot holds several datagrams of this size back to back, the last of which may be
    shorter (UDP GRO). has_more: the driver stopped although there was room, and more may wait. Both are set by drivers
    that know such a thing. limit: how many slots to fill; a driver that gains nothing by stopping there fills all.
    """

    __slots__ = (
        "_kept",
        "_views",
        "buffer",
        "capacity",
        "count",
        "endpoints",
        "has_more",
        "headroom",
        "lengths",
        "limit",
        "locals",
        "rooms",
        "segment_sizes",
        "stride",
        "view",
    )

    def __init__(self, capacity: int, stride: int, headroom: int = 0) -> None:
        if capacity < 1 or not 0 <= headroom < stride:
            raise ValueError("a batch needs at least one slot, and room behind the headroom")
        self.capacity = capacity
        self.stride = stride
        self.headroom = headroom
        self.buffer = bytearray(capacity * stride)
        self.view = memoryview(self.buffer)
        self.rooms = tuple(self.view[i * stride + headroom : (i + 1) * stride] for i in range(capacity))
        self.count = 0
        self.has_more = False
        self.limit = capacity
        self.lengths = [0] * capacity
        self.segment_sizes = [0] * capacity
        self.endpoints: list[Endpoint | None] = [None] * capacity
        self.locals: list[LocalAddress | None] = [None] * capacity
        self._views: dict[tuple[int, int], tuple[memoryview, ...]] = {}
        self._kept = 0

    def slot(self, i: int) -> memoryview:
        """Payload ``i``, as long as ``lengths[i]``."""
        return self.rooms[i][: self.lengths[i]]

    def datagrams(self, i: int) -> list[memoryview]:
        """What slot ``i`` holds, one by one."""
        payload, size = self.slot(i), self.segment_sizes[i]
        if not 0 < size < len(payload):
            return [payload]
        return [payload[begin : begin + size] for begin in range(0, len(payload), size)]

    def views(self, offset: int, length: int) -> tuple[memoryview, ...]:
        """By slot, the ``length`` bytes that begin ``offset`` bytes into it; made once and kept."""
        views = self._views.get((offset, length))
        if views is None:
            if self._kept >= _MAX_KEPT_VIEWS:
                self._views.clear()
                self._kept = 0
            view, stride = self.view, self.stride
            begins = range(offset, self.capacity * stride, stride)
            views = self._views[offset, length] = tuple(view[begin : begin + length] for begin in begins)
            self._kept += self.capacity
        return views

    def append(
        self,
        payload: bytes | bytearray | memoryview,
        endpoint: Endpoint | None = None,
        local: LocalAddress | None = None,
    ) -> None:
        """Copy a payload into the next slot. Raises ValueError when it does not fit."""
        i, length = self.count, len(payload)
        if i == self.capacity or length > self.stride - self.headroom:
            raise ValueError("the payload does not fit into the batch")
        self.rooms[i][:length] = payload
        self.lengths[i] = length
        self.segment_sizes[i] = 0
        self.endpoints[i] = endpoint
        self.locals[i] = local
        self.count = i + 1

    def clear(self) -> None:
        self.count = 0
