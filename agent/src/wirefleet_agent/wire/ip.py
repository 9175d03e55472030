# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The few fields of an IP header that a layer 3 tunnel looks at (RFC 791 3.1, RFC 8200 3), and what its data plane
cuts and joins (RFC 9293 3.1, RFC 768)."""

from __future__ import annotations

from ..drops import DropReason
from ..errors import PacketDropped

IPV4_HEADER_BYTES = 20
IPV6_HEADER_BYTES = 40
TCP = 6
UDP = 17
TCP_HEADER_BYTES = 20
UDP_HEADER_BYTES = 8


def inspect(packet: bytes | bytearray | memoryview) -> tuple[int, bytes, bytes, int]:
    """(version, source, destination, total_length) of an IP packet; addresses are packed (4 or 16 bytes).

    total_length is what the header claims, header included; for IPv6 up to 65575, more than 16 bits.
    Bytes after it are padding, the caller truncates. Raises PacketDropped(BAD_PACKET_VERSION) or, when
    the packet is shorter than its header or than its claim, PacketDropped(BAD_PACKET_LENGTH)
    (checklist 29).
    """
    size = len(packet)
    if size == 0:
        raise PacketDropped(DropReason.BAD_PACKET_LENGTH)
    version = packet[0] >> 4
    if version == 4:
        if size < IPV4_HEADER_BYTES:
            raise PacketDropped(DropReason.BAD_PACKET_LENGTH)
        total_length = packet[2] << 8 | packet[3]
        if not IPV4_HEADER_BYTES <= total_length <= size:
            raise PacketDropped(DropReason.BAD_PACKET_LENGTH)
        return 4, bytes(packet[12:16]), bytes(packet[16:20]), total_length
    if version == 6:
        if size < IPV6_HEADER_BYTES:
            raise PacketDropped(DropReason.BAD_PACKET_LENGTH)
        total_length = (packet[4] << 8 | packet[5]) + IPV6_HEADER_BYTES
        if total_length > size:
            raise PacketDropped(DropReason.BAD_PACKET_LENGTH)
        return 6, bytes(packet[8:24]), bytes(packet[24:40]), total_length
    raise PacketDropped(DropReason.BAD_PACKET_VERSION)
