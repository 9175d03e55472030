# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The Internet checksum as arithmetic modulo 65535 (RFC 1071): sums are residues, so they add up in any order.

A sum of big-endian 16-bit words is its big number modulo 65535, since 2^16 = 1 there. Swapping the bytes of
every word multiplies the sum by 256. With numpy the sums of many equal rows cost a tenth; the results are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from . import vectors
from .vectors import MODULUS

_FEWEST_ROWS: Final = 3  # fewer are quicker one by one


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
    if not vectors.HAS_NUMPY or rows < _FEWEST_ROWS or length < 4:
        return row_residues_plain(buffer, start, stride, rows, length)
    residues: list[int] = vectors.row_sums(buffer, start, stride, rows, length).tolist()
    return residues


def row_residues_plain(buffer: bytearray, start: int, stride: int, rows: int, length: int) -> list[int]:
    """``row_residues`` without numpy."""
    view = memoryview(buffer)
    return [residue(view[begin : begin + length]) for begin in range(start, start + rows * stride, stride)]
