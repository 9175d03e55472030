# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Random TCP and UDP as hypothesis draws it: super-packets as a host hands them out, and streams of whole packets."""

from __future__ import annotations

import ipaddress
import random
import struct
from dataclasses import dataclass

from hypothesis import strategies as st
from support.super_packets import (
    ACK,
    FIN,
    GSO_ECN,
    GSO_TCPV4,
    GSO_TCPV6,
    GSO_UDP_L4,
    NEEDS_CSUM,
    PSH,
    TCP,
    UDP,
    Offload,
    cut,
    finished,
    internet_checksum,
    internet_sum,
    pseudo_header,
)
from support.tunnels import LEFT, LEFT6, RIGHT, RIGHT6

STRANGER = {4: "10.86.9.9", 6: "fd86::99"}
_MAX_BYTES = 65535

edges_16 = st.sampled_from([0, 1, 0x7FFF, 0xFFF0, 0xFFFE, 0xFFFF]) | st.integers(0, 0xFFFF)
edges_32 = st.sampled_from([0, 0x7FFFFFFF, 0xFFFF0000, 0xFFFFFFF0, 0xFFFFFFFF]) | st.integers(0, 0xFFFFFFFF)
seeds = st.integers(0, 0xFFFFFFFF)


@dataclass(frozen=True)
class Headers:
    """Everything of a packet but its payload. Lengths and checksums are left to ``packet``."""

    version: int = 4
    protocol: int = TCP
    source: str = LEFT
    destination: str = RIGHT
    ports: bytes = b"\x30\x39\x14\x51"
    traffic_class: int = 0
    label: int = 0
    ttl: int = 64
    identification: int = 7
    fragment: int = 0x4000
    between: bytes = b""
    """IPv4 options or IPv6 extension headers."""
    sequence: int = 1
    acknowledgement: int = 2
    reserved: int = 0
    """The four bits behind TCP's data offset."""
    flags: int = ACK
    window: int = 500
    urgent: int = 0
    options: bytes = b""

    @property
    def transport(self) -> int:
        return (20 if self.version == 4 else 40) + len(self.between)

    def pack(self) -> bytes:
        source, destination = (ipaddress.ip_address(each).packed for each in (self.source, self.destination))
        if self.version == 4:
            network = struct.pack(
                "!BBHHHBBH",
                0x45 + len(self.between) // 4,
                self.traffic_class,
                0,
                self.identification,
                self.fragment,
                self.ttl,
                self.protocol,
                0,
            )
        else:
            first = 6 << 28 | self.traffic_class << 20 | self.label
            network = struct.pack("!IHBB", first, 0, 60 if self.between else self.protocol, self.ttl)
        network += source + destination + self.between
        if self.protocol == UDP:
            return network + self.ports + bytes(4)
        offset = (20 + len(self.options)) << 2 | self.reserved
        return (
            network
            + self.ports
            + struct.pack(
                "!IIBBHHH", self.sequence, self.acknowledgement, offset, self.flags, self.window, 0, self.urgent
            )
            + self.options
        )

    def packet(self, payload: bytes) -> bytes:
        return finished(self.pack() + payload, self.transport, self.protocol)


@dataclass(frozen=True)
class SuperPacket:
    offload: Offload
    packet: bytes

    @property
    def pieces(self) -> list[bytes]:
        """As the reference cuts it."""
        return cut(self.packet, self.offload)


def random_bytes(seed: int, size: int) -> bytes:
    """Of several kinds: sums of zeros and of ones are the interesting ones."""
    kind = seed % 5
    if kind < 2:
        return (b"\0", b"\xff")[kind] * size
    return random.Random(seed).randbytes(size)


@st.composite
def headers(draw: st.DrawFn, *, is_plain: bool = False) -> Headers:
    """is_plain: without IP options or extension headers, and with flags as the bulk of a transfer has them."""
    version, protocol = draw(st.sampled_from([4, 6])), draw(st.sampled_from([TCP, TCP, UDP]))
    between = b""
    if not is_plain:
        words = draw(st.sampled_from([0, 0, 1, 5, 10]))
        # No operation; destination options made of padding
        between = b"\1" * 4 * words if version == 4 else b""
        if version == 6 and words:
            between = bytes([protocol, words - 1, 1, words * 8 - 4]) + bytes(words * 8 - 4)
    return Headers(
        version=version,
        protocol=protocol,
        source=LEFT if version == 4 else LEFT6,
        destination=RIGHT if version == 4 else RIGHT6,
        ports=struct.pack("!HH", draw(st.sampled_from([1, 2, 65535])), draw(st.sampled_from([53, 443, 65535]))),
        traffic_class=draw(st.sampled_from([0, 1, 2, 3, 0xB8, 0xFF])),
        label=draw(st.sampled_from([0, 1, 0xFFFFF])),
        ttl=draw(st.sampled_from([1, 64, 255])),
        identification=draw(edges_16),
        fragment=draw(st.sampled_from([0, 0x4000, 0x4000, 0x8000])),
        between=between,
        sequence=draw(edges_32),
        acknowledgement=draw(edges_32),
        reserved=0 if is_plain else draw(st.sampled_from([0, 0, 1, 15])),
        flags=draw(
            st.sampled_from([ACK, ACK, ACK | PSH]) if is_plain else st.integers(0, 255) | st.just(FIN | PSH | ACK)
        ),
        window=draw(edges_16),
        urgent=0 if is_plain else draw(st.sampled_from([0, 0, 9])),
        options=random_bytes(draw(seeds), 4 * draw(st.sampled_from([0, 3, 3, 10]))),
    )


segment_sizes = st.sampled_from([1, 2, 3, 7, 15, 16, 17, 536, 1221, 1368, 1380, 1392, 1399, 1400, 1448, 1900]) | (
    st.integers(1, 1500)
)


@st.composite
def super_packets(
    draw: st.DrawFn, *, is_plain: bool = False, max_pieces: int = 160, sizes: st.SearchStrategy[int] = segment_sizes
) -> SuperPacket:
    """As a host hands it out: every field that is to be computed holds something else."""
    shape = draw(headers(is_plain=is_plain))
    head = shape.pack()
    size = draw(sizes)
    most = min(max_pieces, (_MAX_BYTES - len(head)) // size)
    pieces = draw(st.integers(1, most) | st.sampled_from([1, min(2, most), most]))
    last = draw(st.integers(1, size) | st.sampled_from([1, size]))
    payload = bytearray(random_bytes(draw(seeds), (pieces - 1) * size + last))
    gso_type = GSO_UDP_L4 if shape.protocol == UDP else GSO_TCPV4 if shape.version == 4 else GSO_TCPV6
    if shape.protocol == TCP and draw(st.booleans()):
        gso_type |= GSO_ECN
    offload = Offload(NEEDS_CSUM, gso_type, draw(edges_16), size, shape.transport, 6 if shape.protocol == UDP else 16)
    data = bytearray(head + payload)
    if draw(st.booleans()) and size >= 2 and len(payload) >= 2:
        _make_first_checksum_zero(data, len(head), offload)
    if shape.version == 4:
        data[2:4] = struct.pack("!H", len(data))
        data[10:12] = struct.pack("!H", draw(edges_16))
    else:
        data[4:6] = struct.pack("!H", len(data) - 40)
    if shape.protocol == UDP:
        data[shape.transport + 4 : shape.transport + 6] = struct.pack("!H", len(data) - shape.transport)
    field = shape.transport + offload.csum_offset
    partial = internet_sum(pseudo_header(bytes(data), shape.transport, shape.protocol))
    data[field : field + 2] = struct.pack("!H", partial)
    return SuperPacket(offload, bytes(data))


def _make_first_checksum_zero(data: bytearray, header_bytes: int, offload: Offload) -> None:
    """Its first two payload bytes are set so that the sum of the first piece is all ones."""
    data[header_bytes : header_bytes + 2] = b"\0\0"
    first = cut(bytes(data), offload)[0]
    field = offload.csum_start + offload.csum_offset
    data[header_bytes : header_bytes + 2] = first[field : field + 2]


@st.composite
def incomplete_packets(draw: st.DrawFn) -> SuperPacket:
    """One packet whose checksum is left to be done, or nothing."""
    shape = draw(headers())
    payload = random_bytes(draw(seeds), draw(st.sampled_from([0, 1, 2, 33, 1200, 1300])))
    data = bytearray(shape.packet(payload))
    offload = Offload()
    if draw(st.booleans()):
        offload = Offload(NEEDS_CSUM, 0, 0, 0, shape.transport, 6 if shape.protocol == UDP else 16)
        partial = internet_sum(pseudo_header(bytes(data), shape.transport, shape.protocol))
        field = offload.csum_start + offload.csum_offset
        data[field : field + 2] = struct.pack("!H", partial)
    return SuperPacket(offload, bytes(data))


def icmp(version: int, size: int, seed: int) -> bytes:
    """An echo request; its checksum matters to nobody here."""
    shape = Headers(
        version=version, source=LEFT if version == 4 else LEFT6, destination=RIGHT if version == 4 else RIGHT6
    )
    network = bytearray(shape.pack()[: shape.transport])
    body = bytes([8 if version == 4 else 128, 0, 0, 0]) + random_bytes(seed, size)
    network[9 if version == 4 else 6] = 1 if version == 4 else 58
    if version == 4:
        network[2:4] = struct.pack("!H", 20 + len(body))
        network[10:12] = struct.pack("!H", internet_checksum(bytes(network)))
    else:
        network[4:6] = struct.pack("!H", len(body))
    return bytes(network) + body


@st.composite
def streams(draw: st.DrawFn, *, max_pieces: int = 24) -> list[bytes]:
    """Whole packets of a few flows, most of which could be joined, and all that forbids it here and there."""
    size = draw(st.sampled_from([1, 2, 16, 17, 100, 101, 536, 1200, 1368, 1380]))
    flows = [
        draw(
            super_packets(
                is_plain=draw(st.sampled_from([True, True, False])), max_pieces=max_pieces, sizes=st.just(size)
            )
        )
        for _ in range(draw(st.integers(1, 3)))
    ]
    queues = [flow.pieces for flow in flows]
    if len(queues) > 1 and draw(st.booleans()):  # one after the other
        packets = [packet for queue in queues for packet in queue]
    else:
        chance, packets = random.Random(draw(seeds)), []
        while any(queues):
            queue = chance.choice([queue for queue in queues if queue])
            for _ in range(min(chance.choice([1, 2, 5]), len(queue))):
                packets.append(queue.pop(0))
    for _ in range(draw(st.integers(0, 4))):
        position = draw(st.integers(0, len(packets) - 1))
        packets[position] = draw(harmed(packets[position]))
    for _ in range(draw(st.integers(0, 2))):
        other = icmp(draw(st.sampled_from([4, 6])), draw(st.integers(0, 64)), draw(seeds))
        packets.insert(draw(st.integers(0, len(packets))), other)
    return packets


@st.composite
def harmed(draw: st.DrawFn, packet: bytes) -> bytes:
    """The packet with one thing changed; half the time the checksums are put right afterwards."""
    data = bytearray(packet)
    version = packet[0] >> 4
    how = draw(
        st.sampled_from(["byte", "header byte", "source", "no checksum", "other zero", "fragment", "length", "ones"])
    )
    network = (packet[0] & 15) * 4 if version == 4 else 40
    protocol = packet[9] if version == 4 else packet[6]
    is_known = protocol in (TCP, UDP) and len(packet) >= network + (8 if protocol == UDP else 20)
    field = network + (6 if protocol == UDP else 16)
    if how == "byte":
        data[draw(st.integers(0, len(data) - 1))] ^= draw(st.integers(1, 255))
        return bytes(data)
    if how == "header byte":
        data[draw(st.integers(1, min(len(data), network + 20) - 1))] ^= 1 << draw(st.integers(0, 7))
    elif how == "source":
        begin, end = (12, 16) if version == 4 else (8, 24)
        data[begin:end] = ipaddress.ip_address(STRANGER[version]).packed
    elif how == "fragment" and version == 4:
        data[6:8] = struct.pack("!H", draw(st.sampled_from([0x2000, 1, 0x2001])))
    elif how == "length":
        at = 2 if version == 4 else 4
        data[at : at + 2] = struct.pack("!H", draw(edges_16))
        return bytes(data)
    elif is_known and how == "no checksum":
        data[field : field + 2] = b"\0\0"
        return bytes(data)
    elif is_known and how in ("other zero", "ones"):
        data[field : field + 2] = b"\xff\xff"
        return bytes(data)
    if is_known and (packet[0] & 15 if version == 4 else 1) and draw(st.booleans()):
        length = bytes(data[2:6])
        data[:] = finished(bytes(data), network, protocol)
        if version == 6:
            data[4:6] = length[2:4]
        else:
            data[2:4] = length[:2]
            data[10:12] = b"\0\0"
            data[10:12] = struct.pack("!H", internet_checksum(bytes(data[:network])))
    return bytes(data)
