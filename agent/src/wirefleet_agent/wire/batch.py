# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The unit of the data plane: one flat buffer cut into equal slots, made once and used again for ever.

::

    | headroom | payload room          | headroom | payload room          | ...
    |<---------- stride -------------->|

A packet is read behind the headroom, sealed in place, and leaves as a datagram that begins inside the headroom:
no byte is copied. ``reframed`` gives that second look at the same memory.
"""

from __future__ import annotations

from .endpoint import Endpoint, LocalAddress


class Batch:
    """Up to ``capacity`` payloads. Entries at and beyond ``count`` are leftovers.

    stride: bytes from one slot to the next; headroom: bytes left free before each payload.
    rooms: for each slot the whole payload room (stride - headroom), what a driver reads into.
    lengths, endpoints, locals: by slot; an endpoint of None means "do not send" on the way out.
    """

    __slots__ = ("buffer", "capacity", "count", "endpoints", "headroom", "lengths", "locals", "rooms", "stride", "view")

    def __init__(self, capacity: int, stride: int, headroom: int = 0, *, buffer: bytearray | None = None) -> None:
        if capacity < 1 or not 0 <= headroom < stride:
            raise ValueError("a batch needs at least one slot, and room behind the headroom")
        if buffer is not None and len(buffer) != capacity * stride:
            raise ValueError("the buffer does not fit capacity and stride")
        self.capacity = capacity
        self.stride = stride
        self.headroom = headroom
        self.buffer = bytearray(capacity * stride) if buffer is None else buffer
        self.view = memoryview(self.buffer)
        self.rooms = tuple(self.view[i * stride + headroom : (i + 1) * stride] for i in range(capacity))
        self.count = 0
        self.lengths = [0] * capacity
        self.endpoints: list[Endpoint | None] = [None] * capacity
        self.locals: list[LocalAddress | None] = [None] * capacity

    def reframed(self, headroom: int) -> Batch:
        """Another batch over the same memory: same slots, other headroom, own count, lengths and addresses."""
        return Batch(self.capacity, self.stride, headroom, buffer=self.buffer)

    def slot(self, i: int) -> memoryview:
        """Payload ``i``, as long as ``lengths[i]``."""
        return self.rooms[i][: self.lengths[i]]

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
        self.endpoints[i] = endpoint
        self.locals[i] = local
        self.count = i + 1

    def clear(self) -> None:
        self.count = 0
