# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What a kernel does with super-packets, packet by packet: the reference that the fast path is compared with.

Written from the RFCs (768, 791, 1071, 3168, 8200, 9293) and VIRTIO 1.2 section 5.1.6, without a thought of speed.
It shares no code with the data plane.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

NEEDS_CSUM = 1
GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, GSO_ECN = 1, 4, 5, 0x80
TCP, UDP = 6, 17
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))
MAX_UDP_PIECES = 64

Buffer = bytes | bytearray | memoryview


class Offload(NamedTuple):
    """struct virtio_net_hdr; see VIRTIO 1.2."""

    flags: int = 0
    gso_type: int = 0
    hdr_len: int = 0
    gso_size: int = 0
    csum_start: int = 0
    csum_offset: int = 0

    def pack(self) -> bytes:
        return struct.pack("=BBHHHH", *self)

    @classmethod
    def unpack(cls, header: bytes) -> Offload:
        return cls(*struct.unpack("=BBHHHH", header))


def internet_sum(data: bytes) -> int:
    """The one's complement sum of 16-bit words (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def internet_checksum(data: bytes) -> int:
    return ~internet_sum(data) & 0xFFFF


def pseudo_header(packet: bytes, transport: int, protocol: int) -> bytes:
    """Of the packet whose TCP or UDP header begins at ``transport``."""
    behind = len(packet) - transport
    if packet[0] >> 4 == 4:
        return packet[12:20] + struct.pack("!BBH", 0, protocol, behind)
    return packet[8:40] + struct.pack("!II", behind, protocol)


def finished(packet: bytes, transport: int, protocol: int) -> bytes:
    """The packet with its lengths and checksums put right."""
    data = bytearray(packet)
    if data[0] >> 4 == 4:
        data[2:4] = struct.pack("!H", len(data))
        data[10:12] = b"\0\0"
        data[10:12] = struct.pack("!H", internet_checksum(bytes(data[: (data[0] & 15) * 4])))
    else:
        data[4:6] = struct.pack("!H", len(data) - 40)
    if protocol == UDP:
        data[transport + 4 : transport + 6] = struct.pack("!H", len(data) - transport)
    field = transport + (16 if protocol == TCP else 6)
    data[field : field + 2] = b"\0\0"
    value = internet_checksum(pseudo_header(bytes(data), transport, protocol) + bytes(data[transport:]))
    if protocol == UDP and value == 0:
        value = 0xFFFF
    data[field : field + 2] = struct.pack("!H", value)
    return bytes(data)


def cut(packet: bytes, offload: Offload) -> list[bytes]:
    """The packets that leave a card which is given ``packet`` to cut and to complete."""
    kind = offload.gso_type & ~GSO_ECN
    if not kind:
        return [_completed(packet, offload) if offload.flags & NEEDS_CSUM else packet]
    protocol = UDP if kind == GSO_UDP_L4 else TCP
    transport = offload.csum_start
    header_bytes = transport + (8 if protocol == UDP else (packet[transport + 12] >> 4) * 4)
    header, payload = packet[:header_bytes], packet[header_bytes:]
    pieces = [payload[begin : begin + offload.gso_size] for begin in range(0, len(payload), offload.gso_size)]
    packets = []
    for k, piece in enumerate(pieces):
        data = bytearray(header + piece)
        if data[0] >> 4 == 4:
            (identification,) = struct.unpack("!H", data[4:6])
            data[4:6] = struct.pack("!H", (identification + k) % 0x10000)
        if protocol == TCP:
            (sequence,) = struct.unpack("!I", data[transport + 4 : transport + 8])
            data[transport + 4 : transport + 8] = struct.pack("!I", (sequence + k * offload.gso_size) % 0x100000000)
            if k > 0:
                data[transport + 13] &= ~CWR & 0xFF
            if k < len(pieces) - 1:
                data[transport + 13] &= ~(FIN | PSH)
        packets.append(finished(bytes(data), transport, protocol))
    return packets


def _completed(packet: bytes, offload: Offload) -> bytes:
    data = bytearray(packet)
    field = offload.csum_start + offload.csum_offset
    value = internet_checksum(bytes(data[offload.csum_start :]))
    if offload.csum_offset == 6 and value == 0:
        value = 0xFFFF
    data[field : field + 2] = struct.pack("!H", value)
    return bytes(data)


def cut_written(written: Buffer | Sequence[Buffer]) -> list[bytes]:
    """What the host makes of something that was written to the TUN, which has to be as a kernel takes it."""
    if isinstance(written, bytes | bytearray | memoryview):
        return [bytes(written)]
    whole = b"".join(bytes(buffer) for buffer in written)
    offload, packet = Offload.unpack(whole[:10]), whole[10:]
    _assert_is_taken(packet, offload)
    packets = cut(packet, offload)
    assert len(packets) > 1, "a super-packet of one packet"
    return packets


def _assert_is_taken(packet: bytes, offload: Offload) -> None:
    """The checks of tun_get_user() and virtio_net_hdr_to_skb() in Linux, and what its stack presumes."""
    transport = offload.csum_start
    is_v4 = packet[0] >> 4 == 4
    assert offload.flags == NEEDS_CSUM
    assert transport == (20 if is_v4 else 40)
    assert 0 < offload.gso_size < 0xFFFF
    assert len(packet) <= 0xFFFF
    if is_v4:
        assert struct.unpack("!H", packet[2:4])[0] == len(packet)
        assert internet_sum(packet[:20]) == 0xFFFF, "the checksum of the IP header"
        assert offload.gso_type in (GSO_TCPV4, GSO_UDP_L4)
    else:
        assert struct.unpack("!H", packet[4:6])[0] == len(packet) - 40
        assert offload.gso_type in (GSO_TCPV6, GSO_UDP_L4)
    protocol = packet[9] if is_v4 else packet[6]
    assert protocol == (UDP if offload.gso_type == GSO_UDP_L4 else TCP)
    assert offload.csum_offset == (6 if protocol == UDP else 16)
    header_bytes = transport + (8 if protocol == UDP else (packet[transport + 12] >> 4) * 4)
    assert offload.hdr_len == header_bytes
    if protocol == UDP:
        assert struct.unpack("!H", packet[transport + 4 : transport + 6])[0] == len(packet) - transport
        assert -(-(len(packet) - header_bytes) // offload.gso_size) <= MAX_UDP_PIECES
    field = transport + offload.csum_offset
    (partial,) = struct.unpack("!H", packet[field : field + 2])
    assert partial % 0xFFFF == internet_sum(pseudo_header(packet, transport, protocol)) % 0xFFFF
