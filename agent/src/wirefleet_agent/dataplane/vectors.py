# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What numpy does for all packets of a super-packet at once. Where it is missing, the same is done one by one.

Words are added in the host's small steps as little-endian numbers; swapping the bytes of every word multiplies a sum
by 256, modulo 65535, so a comparison or a final multiplication puts the order right.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

# numpy brings a library of linear algebra along, which would start a thread per processor: we have one thread.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
try:
    import numpy
except ImportError:  # an extra ("fast"): there are platforms without wheels of it
    numpy = None  # type: ignore[assignment]

from ..wire.batch import Batch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
else:
    Array = object

MODULUS: Final = 65535
HAS_NUMPY: Final = numpy is not None


def row_sums(buffer: bytearray, start: int, stride: int, rows: int, length: int) -> Array:
    """By row the sum of its big-endian 16-bit words modulo 65535, an odd byte padded with zero; length: 4 or more."""
    sums = _word_sums(buffer, start, stride, rows, length)
    sums %= MODULUS
    sums *= 256
    for position in range(length & ~3, length):
        column = numpy.ndarray((rows,), "u1", buffer, start + position, (stride,)).astype(numpy.int64)
        sums += column if position & 1 else column * 256
    sums %= MODULUS
    return sums


def _word_sums(buffer: bytearray, start: int, stride: int, rows: int, length: int) -> Array:
    words = numpy.ndarray((rows, length >> 2), "<u4", buffer, start, (stride, 4))
    sums: Array = numpy.add.reduce(words, axis=1, dtype=numpy.int64)
    return sums


class Columns:
    """The slots of one batch as arrays, one per field, made once."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._arrays: dict[tuple[str, int], Array] = {}
        self.bytes = numpy.ndarray((batch.capacity, batch.stride), "u1", batch.buffer)
        self.numbers = numpy.arange(batch.capacity, dtype=numpy.int64)

    def full(self, count: int, value: int) -> Array:
        """``count`` times ``value``, to be changed."""
        return numpy.full(count, value, dtype=numpy.int64)

    def of(self, kind: str, offset: int) -> Array:
        """By slot the number of this kind (as numpy names it) at ``offset`` of the slot."""
        array = self._arrays.get((kind, offset))
        if array is None:
            batch = self._batch
            array = self._arrays[kind, offset] = numpy.ndarray(
                (batch.capacity,), kind, batch.buffer, offset, (batch.stride,)
            )
        return array


def as_bytes(buffer: bytes | bytearray, start: int, rows: int, length: int) -> Array:
    """``rows`` rows of ``length`` bytes that follow each other from ``start`` on."""
    return numpy.ndarray((rows, length), "u1", buffer, start)
