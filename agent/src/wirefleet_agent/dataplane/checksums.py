# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The Internet checksum as arithmetic modulo 65535 (RFC 1071): sums are residues, so they add up in any order.

A sum of big-endian 16-bit words is its big number modulo 65535, since 2^16 = 1 there. Swapping the bytes of
every word multiplies the sum by 256. With numpy the sums of many equal rows cost a tenth; the results are the same.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

# numpy brings a library of linear algebra along, which would start a thread per processor: we have one thread.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
try:
    import numpy
except ImportError:  # an extra ("fast"): there are platforms without wheels of it
    numpy = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Sequence

MODULUS: Final = 65535
_FEWEST_ROWS: Final = 3  # fewer are quicker one by one

HAS_NUMPY: Final = numpy is not None


def residue(data: bytes | bytearray | memoryview) -> int:
    """The sum of the big-endian 16-bit words of ``data``, an odd byte padded with zero, modulo 65535."""
    total = int.from_bytes(data, "big")
    if len(data) & 1:
        total <<= 8
    return total % MODULUS


def checksum(total: int) -> int:
    """What a checksum field has to hold, if the words that it covers, itself taken as zero, add up to ``total`` > 0.

    TCP and IPv4 write 0 for the sum that is 0 either way; UDP, to which 0 means "none", writes 65535 (RFC 768).
    """
    return -total % MODULUS


def row_residues(buffer: bytearray, start: int, stride: int, rows: int, length: int) -> Sequence[int]:
    """``residue`` of ``rows`` rows of ``length`` bytes, the first at ``start``, each ``stride`` after the other."""
    if numpy is None or rows < _FEWEST_ROWS or length < 4:
        return row_residues_plain(buffer, start, stride, rows, length)
    words = numpy.ndarray((rows, length >> 2), "<u4", buffer, start, (stride, 4))
    sums = numpy.add.reduce(words, axis=1, dtype=numpy.uint64)
    sums %= MODULUS
    sums *= 256
    for position in range(length & ~3, length):
        column = numpy.ndarray((rows,), "u1", buffer, start + position, (stride,)).astype(numpy.uint64)
        sums += column if position & 1 else column * 256
    sums %= MODULUS
    residues: list[int] = sums.tolist()
    return residues


def row_residues_plain(buffer: bytearray, start: int, stride: int, rows: int, length: int) -> list[int]:
    """``row_residues`` without numpy."""
    view = memoryview(buffer)
    return [residue(view[begin : begin + length]) for begin in range(start, start + rows * stride, stride)]
