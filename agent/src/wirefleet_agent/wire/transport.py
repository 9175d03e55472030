# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The transport message: 16-byte header, ciphertext, 16-byte tag (WireGuard paper 5.4.6)."""

from __future__ import annotations

import struct

from ..drops import DropReason
from ..errors import PacketDropped

TRANSPORT_TYPE = 4
TRANSPORT_HEADER_BYTES = 16
TAG_BYTES = 16
TRANSPORT_OVERHEAD_BYTES = TRANSPORT_HEADER_BYTES + TAG_BYTES
KEEPALIVE_BYTES = TRANSPORT_OVERHEAD_BYTES
PADDING_MULTIPLE_BYTES = 16

_HEADER = struct.Struct("<IIQ")
_NONCE = struct.Struct("<IQ")


def pack_transport_header(receiver_index: int, counter: int) -> bytes:
    """The 16 bytes before the ciphertext."""
    return _HEADER.pack(TRANSPORT_TYPE, receiver_index, counter)


def unpack_transport_header(datagram: bytes | bytearray | memoryview) -> tuple[int, int]:
    """(receiver_index, counter) of a transport message.

    Raises PacketDropped(MALFORMED_MESSAGE) if it is shorter than a keepalive, or of another type
    (the type is a little-endian u32: a reserved byte that is not 0 makes it another type, checklist 1).
    """
    if len(datagram) < KEEPALIVE_BYTES:
        raise PacketDropped(DropReason.MALFORMED_MESSAGE)
    kind, receiver_index, counter = _HEADER.unpack_from(datagram)
    if kind != TRANSPORT_TYPE:
        raise PacketDropped(DropReason.MALFORMED_MESSAGE)
    return receiver_index, counter


def pack_nonce(counter: int) -> bytes:
    """The 12-byte AEAD nonce of a counter: 4 zero bytes, then the counter as a little-endian u64."""
    return _NONCE.pack(0, counter)


def padded_length(length: int, mtu_bytes: int) -> int:
    """``length`` rounded up to a multiple of 16, never beyond the MTU (checklist 28).

    A packet longer than the MTU (the interface's MTU was lowered under it) is padded like its last
    MTU-sized piece, so that its length tells nothing more than the piece's would.
    """
    whole, last = 0, length
    if length > mtu_bytes > 0:
        last = length % mtu_bytes
        whole = length - last
    padded = (last + PADDING_MULTIPLE_BYTES - 1) & -PADDING_MULTIPLE_BYTES
    if padded > mtu_bytes > 0:
        padded = mtu_bytes
    return whole + padded
