# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The header before every packet of a TUN with offloads: struct virtio_net_hdr in its 10-byte form.

It tells what was left undone: a checksum, or the cutting of a super-packet into packets of one size. Little-endian
and big-endian hosts write their own order. Source: include/uapi/linux/virtio_net.h, VIRTIO 1.2 section 5.1.6.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

HEADER_BYTES: Final = 10
NEEDS_CSUM: Final = 1
GSO_TCPV4: Final = 1
GSO_TCPV6: Final = 4
GSO_UDP_L4: Final = 5
_GSO_ECN: Final = 0x80

_STRUCT = struct.Struct("=BBHHHH")


class OffloadHeader(NamedTuple):
    """hdr_len is a hint and is not used. gso_size: payload bytes per packet. The checksum's field lies at csum_start +
    csum_offset, holds the sum of the pseudo-header, and covers everything from csum_start on."""

    flags: int
    gso_type: int
    hdr_len: int
    gso_size: int
    csum_start: int
    csum_offset: int

    @classmethod
    def unpack(cls, buffer: bytes | bytearray | memoryview, offset: int = 0) -> OffloadHeader:
        flags, gso_type, *rest = _STRUCT.unpack_from(buffer, offset)
        return cls(flags, gso_type & ~_GSO_ECN, *rest)

    def pack(self) -> bytes:
        return _STRUCT.pack(*self)
