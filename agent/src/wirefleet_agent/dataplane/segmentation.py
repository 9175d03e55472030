# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Cutting super-packets: what a network card with TSO and USO does, in front of the AEAD instead of a wire.

The payload stays where it is; ``Segments`` tells where each piece lies and gives the headers of the packets. As the
kernel does it: the IP identification rises by one, the sequence number by the piece's size, CWR stays on the first
packet, FIN and PSH on the last (RFC 9293, RFC 3168 6.1.2, RFC 768). Every checksum is computed.
"""

from __future__ import annotations

import functools
import struct
from typing import Final, NamedTuple

from ..drops import DropReason
from ..errors import PacketDropped
from ..wire.ip import IPV4_HEADER_BYTES, IPV6_HEADER_BYTES, TCP, TCP_HEADER_BYTES, UDP, UDP_HEADER_BYTES
from . import virtio
from .checksums import checksum, residue, row_residues
from .vectors import MODULUS
from .virtio import OffloadHeader

_MAX_BYTES: Final = 65535
_MAX_SUPER_PACKET_BYTES: Final = 65536  # of Linux, for an interface that does not ask for more
FIN_PSH: Final = 0x09
CWR: Final = 0x80
_CHECKSUM_OFFSET: Final = {TCP: 16, UDP: 6}


class SuperPacket(NamedTuple):
    """Where things are in a super-packet whose headers and offload agree.

    start: of its IP header in the buffer; transport: of TCP's or UDP's header behind that. header_bytes: both. Its
    payload is cut into ``pieces`` of ``size`` bytes, the last of ``last_size``.
    """

    version: int
    protocol: int
    start: int
    transport: int
    header_bytes: int
    size: int
    pieces: int
    last_size: int


class Segments(NamedTuple):
    """Packet k of a super-packet is headers[k], then the payload bytes from ``payload_start + k * size`` on: ``size``
    of them, ``last_size`` for the last packet. All headers have ``header_bytes`` bytes."""

    headers: list[bytes]
    header_bytes: int
    payload_start: int
    size: int
    last_size: int

    def packets(self, buffer: bytes | bytearray | memoryview) -> list[bytes]:
        """The packets, copied out of the buffer that the super-packet lies in."""
        starts = range(self.payload_start, self.payload_start + len(self.headers) * self.size, self.size)
        sizes = [self.size] * (len(self.headers) - 1) + [self.last_size]
        return [
            header + bytes(buffer[start : start + size])
            for header, start, size in zip(self.headers, starts, sizes, strict=True)
        ]


@functools.lru_cache(64)
def _header_struct(version: int, transport: int, protocol: int, header_bytes: int) -> struct.Struct:
    """What differs between the packets of one super-packet, and the bytes between."""
    network = f"2sHH4sH{transport - 12}s" if version == 4 else f"4sH{transport - 6}s"
    if protocol == TCP:
        return struct.Struct(f">{network}4sI5sB2sH{header_bytes - transport - 18}s")
    return struct.Struct(f">{network}4sHH")


def layout(buffer: bytearray, start: int, length: int, offload: OffloadHeader) -> SuperPacket:
    """Look at the super-packet of ``length`` bytes at ``start``.

    Raises PacketDropped(BAD_PACKET_LENGTH | BAD_PACKET_VERSION) when headers and offload contradict each other.
    """
    if length > _MAX_SUPER_PACKET_BYTES:
        raise PacketDropped(DropReason.BAD_PACKET_LENGTH)
    view = memoryview(buffer)[start : start + length]
    version, transport, protocol = _layout(view, offload)
    header_bytes = transport + (UDP_HEADER_BYTES if protocol == UDP else (view[transport + 12] >> 4) * 4)
    payload = length - header_bytes
    size = min(offload.gso_size, payload)
    if size <= 0 or header_bytes - transport < _CHECKSUM_OFFSET[protocol] + 2 or header_bytes + size > _MAX_BYTES:
        raise PacketDropped(DropReason.BAD_PACKET_LENGTH)
    count = -(-payload // size)
    return SuperPacket(version, protocol, start, transport, header_bytes, size, count, payload - (count - 1) * size)


def segment(buffer: bytearray, packet: SuperPacket) -> Segments:
    """Cut a super-packet; reads the buffer and changes nothing."""
    payload_start, count, size, last_size = (
        packet.start + packet.header_bytes,
        packet.pieces,
        packet.size,
        packet.last_size,
    )
    last_start = payload_start + (count - 1) * size
    view = memoryview(buffer)
    whole = row_residues(buffer, payload_start, size, count - 1, size)
    sums = [*whole, residue(view[last_start : last_start + last_size])]
    sizes = [size] * (count - 1) + [last_size]
    make = _tcp_headers if packet.protocol == TCP else _udp_headers
    headers = make(view[packet.start : payload_start], packet.version, packet.transport, sizes, sums)
    return Segments(headers, packet.header_bytes, payload_start, size, last_size)


def complete_checksum(buffer: bytearray, start: int, length: int, offload: OffloadHeader) -> None:
    """Put the checksum where a packet lacks it. Raises PacketDropped(BAD_PACKET_LENGTH) where there is no room."""
    field = offload.csum_start + offload.csum_offset
    if field + 2 > length:
        raise PacketDropped(DropReason.BAD_PACKET_LENGTH)
    value = checksum(residue(memoryview(buffer)[start + offload.csum_start : start + length]))
    if not value and offload.csum_offset == _CHECKSUM_OFFSET[UDP]:
        value = MODULUS
    buffer[start + field : start + field + 2] = value.to_bytes(2, "big")


def _layout(view: memoryview, offload: OffloadHeader) -> tuple[int, int, int]:
    """(IP version, where the transport header begins, its protocol)."""
    length, transport = len(view), offload.csum_start
    version = view[0] >> 4 if length else 0
    if offload.gso_type == virtio.GSO_UDP_L4:
        protocol, least = UDP, transport + UDP_HEADER_BYTES
    elif offload.gso_type == (virtio.GSO_TCPV4 if version == 4 else virtio.GSO_TCPV6):
        protocol, least = TCP, transport + TCP_HEADER_BYTES
    else:
        raise PacketDropped(DropReason.BAD_PACKET_VERSION)
    if version not in (4, 6):
        raise PacketDropped(DropReason.BAD_PACKET_VERSION)
    if least > length or transport < (IPV4_HEADER_BYTES if version == 4 else IPV6_HEADER_BYTES):
        raise PacketDropped(DropReason.BAD_PACKET_LENGTH)
    if version == 4 and transport != (view[0] & 15) * 4:
        raise PacketDropped(DropReason.BAD_PACKET_LENGTH)
    return version, transport, protocol


def _network_fields(
    header: memoryview, version: int, transport: int, sizes: list[int]
) -> tuple[list[tuple[bytes | int, ...]], int]:
    """Per packet the fields of the IP header, for ``_header_struct``; and the sum of the addresses."""
    behind = len(header)
    if version == 6:
        begin, rest = bytes(header[:4]), bytes(header[6:transport])
        fields: list[tuple[bytes | int, ...]] = [(begin, behind - IPV6_HEADER_BYTES + size, rest) for size in sizes]
        return fields, residue(header[8:40])
    begin, middle, rest = bytes(header[:2]), bytes(header[6:10]), bytes(header[12:transport])
    first_id = header[4] << 8 | header[5]
    constant = residue(begin + middle + rest)
    fields = []
    for k, size in enumerate(sizes):
        identification = first_id + k & 0xFFFF
        total_length = behind + size
        fields.append(
            (begin, total_length, identification, middle, -(constant + identification + total_length) % MODULUS, rest)
        )
    return fields, residue(header[12:20])


def _tcp_headers(header: memoryview, version: int, transport: int, sizes: list[int], sums: list[int]) -> list[bytes]:
    network, addresses = _network_fields(header, version, transport, sizes)
    pack = _header_struct(version, transport, TCP, len(header)).pack
    tcp = header[transport:]
    ports, acknowledgement, window, rest = bytes(tcp[:4]), bytes(tcp[8:13]), bytes(tcp[14:16]), bytes(tcp[18:])
    sequence = int.from_bytes(tcp[4:8], "big")
    all_flags = tcp[13]
    flags = all_flags & ~(FIN_PSH | CWR)
    constant = addresses + TCP + len(tcp) + residue(ports) + residue(acknowledgement) + residue(window + rest)
    final = len(sizes) - 1
    headers = []
    for k, (fields, size, payload_sum) in enumerate(zip(network, sizes, sums, strict=True)):
        own_flags = flags
        if k == 0:
            own_flags |= all_flags & CWR
        if k == final:
            own_flags |= all_flags & FIN_PSH
        total = constant + own_flags + size + (sequence >> 16) + (sequence & 0xFFFF) + payload_sum
        headers.append(pack(*fields, ports, sequence, acknowledgement, own_flags, window, -total % MODULUS, rest))
        sequence = sequence + size & 0xFFFFFFFF
    return headers


def _udp_headers(header: memoryview, version: int, transport: int, sizes: list[int], sums: list[int]) -> list[bytes]:
    network, addresses = _network_fields(header, version, transport, sizes)
    pack = _header_struct(version, transport, UDP, len(header)).pack
    ports = bytes(header[transport : transport + 4])
    constant = addresses + UDP + residue(ports)
    headers = []
    for fields, size, payload_sum in zip(network, sizes, sums, strict=True):
        datagram = size + UDP_HEADER_BYTES
        # The length counts twice: in the pseudo-header and in the header.
        total = constant + 2 * datagram + payload_sum
        headers.append(pack(*fields, ports, datagram, -total % MODULUS or MODULUS))
    return headers
