# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A whole IP packet with a UDP datagram in it (RFC 768, RFC 791, RFC 8200), for what we send past the host's stack."""

from __future__ import annotations

import struct

_UDP = 17
_HOPS = 64
_MAX_PAYLOAD_BYTES = 1200
_DONT_FRAGMENT = 0x4000


def udp_packet(source: bytes, destination: bytes, port: int, payload: bytes) -> bytes:
    """From and to the same port. Addresses are packed, of one family. Raises ValueError for a payload beyond 1200."""
    if len(source) != len(destination) or len(source) not in (4, 16):
        raise ValueError("two addresses of one family")
    if len(payload) > _MAX_PAYLOAD_BYTES:
        raise ValueError("too long for a packet of any MTU")
    size = 8 + len(payload)
    datagram = struct.pack("!HHHH", port, port, size, 0) + payload
    pseudo = source + destination + struct.pack("!II", size, _UDP)
    checksum = _checksum(pseudo + datagram) or 0xFFFF  # 0 would mean: none
    datagram = datagram[:6] + struct.pack("!H", checksum) + payload
    if len(source) == 16:
        return struct.pack("!IHBB", 6 << 28, size, _UDP, _HOPS) + source + destination + datagram
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + size, 0, _DONT_FRAGMENT, _HOPS, _UDP, 0) + source + destination
    return head[:10] + struct.pack("!H", _checksum(head)) + head[12:] + datagram


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
