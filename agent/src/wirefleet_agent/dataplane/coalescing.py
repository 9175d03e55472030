# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Joining packets of one flow into super-packets, so that the host takes them in one step (its GRO, in our place).

Only what the host would cut into exactly the same packets again is joined: TCP or UDP, over IPv4 without options or
IPv6 without extension headers; same addresses, ports, class, TTL, and flags; for TCP the same acknowledgement, window
and options, no flag but ACK (PSH ends a run), and sequence numbers without a gap; for IPv4 not fragmented, and
identifications that rise by one; payloads of one size, the last may be shorter.

The host computes the checksums of a super-packet anew when it sends it on. So that this can never make a packet
valid that was damaged before it entered the tunnel, all checksums are verified here; a packet with a wrong one goes
on alone, as it is. A packet without a checksum (UDP over IPv4 may have none) does too.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from ..wire.ip import IPV4_HEADER_BYTES, IPV6_HEADER_BYTES, TCP, UDP, UDP_HEADER_BYTES
from . import virtio
from .checksums import residue, row_residues
from .rows import Rows, RowViews
from .vectors import MODULUS
from .virtio import OffloadHeader

_MAX_TOTAL_BYTES: Final = 65535
_MAX_PACKETS: Final = 64  # the kernel cuts UDP into no more
_MAX_KINDS: Final = 4  # each costs a look at all rows, and a peer could make every packet one of its own
_ACK: Final = 0x10
_PSH: Final = 0x08
_ID_MASK: Final = 0xFFFF
_SEQUENCE_MASK: Final = 0xFFFFFFFF
_GSO_TYPE: Final = {(4, TCP): virtio.GSO_TCPV4, (6, TCP): virtio.GSO_TCPV6, (4, UDP): virtio.GSO_UDP_L4}

Pieces = list[bytes | bytearray | memoryview]
"""An offload header, the headers of a super-packet, and its payloads."""


class _Kind(NamedTuple):
    """What the packets of a run look like. network_bytes, header_bytes: the IP header, and it with TCP's or UDP's."""

    version: int
    protocol: int
    network_bytes: int
    header_bytes: int
    total_bytes: int

    @property
    def payload_bytes(self) -> int:
        return self.total_bytes - self.header_bytes


class Run(NamedTuple):
    """Rows first..end-1 that can be joined. last_total_bytes: of the last one, whose payload may be shorter."""

    first: int
    end: int
    kind: _Kind
    last_total_bytes: int


def find_runs(buffer: bytearray, packets: Rows, *, joins_udp: bool = True) -> list[Run]:
    """The runs of two and more rows that can be joined, in order. packets: decrypted and padded IP packets.

    joins_udp: the host cuts UDP too.
    """
    if packets.whole < 2:
        return []
    runs: list[Run] = []
    known: dict[_Kind, _Columns] = {}
    first = 0
    while first < packets.whole - 1:
        kind = _kind_of(buffer, packets.begin(first), packets.size)
        if kind is None or (kind.protocol == UDP and not joins_udp):
            first += 1
            continue
        columns = known.get(kind)
        if columns is None:
            if len(known) == _MAX_KINDS:
                break
            columns = known[kind] = _Columns(buffer, packets, kind)
        limit = first + min(_MAX_PACKETS, (_MAX_TOTAL_BYTES - kind.header_bytes) // kind.payload_bytes)
        end = columns.end_of_run(first, limit)
        last_total_bytes = kind.total_bytes
        if first < end == packets.whole < min(packets.count, limit) and not columns.ends_run(end - 1):
            tail = _tail_total_bytes(buffer, packets, kind, first)
            if tail:
                end, last_total_bytes = end + 1, tail
        if end - first > 1:
            runs.append(Run(first, end, kind, last_total_bytes))
        first = max(end, first + 1)
    return runs


def join(view: memoryview, packets: Rows, run: Run, kept: RowViews) -> Pieces:
    """The super-packet of a run; its payloads stay where they are."""
    kind = run.kind
    begin = packets.begin(run.first)
    last = packets.begin(run.end - 1)
    header = bytearray(view[begin : begin + kind.header_bytes])
    payload = kind.payload_bytes
    count = run.end - run.first
    whole = count if run.last_total_bytes == kind.total_bytes else count - 1
    total = kind.header_bytes + whole * payload
    views = kept.of(view, begin + kind.header_bytes, packets.stride, payload, count)
    payloads = views[:whole]
    if whole < count:
        payloads.append(view[last + kind.header_bytes : last + run.last_total_bytes])
        total += run.last_total_bytes - kind.header_bytes
    behind = total - kind.network_bytes
    if kind.version == 4:
        header[2:4] = total.to_bytes(2, "big")
        header[10:12] = b"\0\0"
        header[10:12] = (-residue(header[:IPV4_HEADER_BYTES]) % MODULUS).to_bytes(2, "big")
        addresses = residue(header[12:20])
    else:
        header[4:6] = behind.to_bytes(2, "big")
        addresses = residue(header[8:40])
    if kind.protocol == TCP:
        header[kind.network_bytes + 13] = view[last + kind.network_bytes + 13]
        offset = 16
    else:
        header[kind.network_bytes + 4 : kind.network_bytes + 6] = behind.to_bytes(2, "big")
        offset = 6
    field = kind.network_bytes + offset
    header[field : field + 2] = ((addresses + kind.protocol + behind) % MODULUS).to_bytes(2, "big")
    gso_type = _GSO_TYPE.get((kind.version, kind.protocol), virtio.GSO_UDP_L4)
    offload = OffloadHeader(virtio.NEEDS_CSUM, gso_type, kind.header_bytes, payload, kind.network_bytes, offset)
    return [offload.pack(), header, *payloads]


def _kind_of(buffer: bytearray, begin: int, room: int) -> _Kind | None:
    """None: packets like the one at ``begin`` are not joined."""
    if room < IPV4_HEADER_BYTES + UDP_HEADER_BYTES + 1:
        return None
    if buffer[begin] == 0x45:
        version, protocol, network_bytes = 4, buffer[begin + 9], IPV4_HEADER_BYTES
        total_bytes = buffer[begin + 2] << 8 | buffer[begin + 3]
        if buffer[begin + 6] & 0x3F or buffer[begin + 7]:
            return None  # a fragment
    elif buffer[begin] >> 4 == 6:
        version, protocol, network_bytes = 6, buffer[begin + 6], IPV6_HEADER_BYTES
        total_bytes = (buffer[begin + 4] << 8 | buffer[begin + 5]) + IPV6_HEADER_BYTES
    else:
        return None
    if total_bytes > room:
        return None
    if protocol == UDP:
        header_bytes = network_bytes + UDP_HEADER_BYTES
    elif protocol == TCP and network_bytes + IPV4_HEADER_BYTES < total_bytes:
        header_bytes = network_bytes + (buffer[begin + network_bytes + 12] >> 4) * 4
        if header_bytes < network_bytes + IPV4_HEADER_BYTES:
            return None
    else:
        return None
    if header_bytes >= total_bytes:
        return None  # nothing in it
    return _Kind(version, protocol, network_bytes, header_bytes, total_bytes)


@functools.lru_cache(128)
def _row_struct(kind: _Kind, stride: int, rows: int) -> struct.Struct:
    """Nine fields for TCP, six for UDP; the names are those of ``_Columns``."""
    network = "4sH4s2x12s" if kind.version == 4 else "4sH2s36s"
    if kind.protocol == TCP:
        row = f"{network}I5sB2s2x{kind.header_bytes - kind.network_bytes - 18}s"
    else:
        row = f"{network}HH"
    gap = stride - struct.calcsize(">" + row)
    return struct.Struct(">" + f"{row}{gap}x" * (rows - 1) + row)


class _Columns:
    """The header fields of all full rows, taken for packets of one kind; by column:

    0 version, class, total length (IPv4) or label; 1 identification (IPv4) or payload length; 2 fragment, TTL and
    protocol; 3 addresses and ports; then TCP: 4 sequence number, 5 acknowledgement and offset, 6 flags, 7 window, 8 the
    rest; UDP: 4 length, 5 checksum. What is said of a row holds if it is of this kind.
    """

    def __init__(self, buffer: bytearray, packets: Rows, kind: _Kind) -> None:
        self._kind = kind
        rows = self._rows = packets.whole
        is_tcp = kind.protocol == TCP
        width = 9 if is_tcp else 6
        fields = _row_struct(kind, packets.stride, rows).unpack_from(buffer, packets.start)
        self._columns = tuple(fields[column::width] for column in range(width))
        self._are_valid = _are_valid(buffer, packets, kind)
        self._same = (0, 2, 3, 5, 7, 8) if is_tcp else (0, 2, 3, 4)
        self._is_one_run = self._is_whole_run()
        self._links: list[bool] | None = None

    def end_of_run(self, first: int, limit: int) -> int:
        """Behind the last full row that can be joined with those from ``first`` on; ``first`` itself if that cannot."""
        if not self.may_be_joined(first):
            return first
        limit = min(limit, self._rows)
        if self._is_one_run:
            return limit
        if self._links is None:
            self._links = self._find_links()
        end = first + 1
        while end < limit and self._links[end]:
            end += 1
        return end

    def may_be_joined(self, row: int) -> bool:
        columns = self._columns
        if not self._are_valid[row]:
            return False
        if self._kind.protocol == TCP:
            return bool(columns[6][row] | _PSH == _ACK | _PSH)
        return bool(columns[5][row] and columns[4][row] == self._kind.total_bytes - self._kind.network_bytes)

    def ends_run(self, row: int) -> bool:
        return self._kind.protocol == TCP and bool(self._columns[6][row] & _PSH)

    def _is_whole_run(self) -> bool:
        """The common case, found without a look at every row."""
        rows, columns = self._rows, self._columns
        if not all(self._are_valid) or any(columns[column] != (columns[column][0],) * rows for column in self._same):
            return False
        first_id = columns[1][0]
        if columns[1] != (tuple(range(first_id, first_id + rows)) if self._kind.version == 4 else (first_id,) * rows):
            return False
        if self._kind.protocol == UDP:
            return all(columns[5])
        sequence, payload, flags = columns[4][0], self._kind.payload_bytes, columns[6]
        return (
            columns[4] == tuple(range(sequence, sequence + rows * payload, payload))
            and flags[:-1] == (_ACK,) * (rows - 1)
            and flags[-1] | _PSH == _ACK | _PSH
        )

    def _find_links(self) -> list[bool]:
        """By row whether it can follow the row before it."""
        rows, columns, kind = self._rows, self._columns, self._kind
        rise = 1 if kind.version == 4 else 0
        links = [
            then & _ID_MASK == now for then, now in zip([at + rise for at in columns[1]], columns[1][1:], strict=False)
        ]
        if kind.protocol == TCP:
            nexts = [at + kind.payload_bytes & _SEQUENCE_MASK for at in columns[4]]
            links = [link and then == now for link, then, now in zip(links, nexts, columns[4][1:], strict=False)]
        if any(links):
            pairs = [tuple(columns[column][row] for column in self._same) for row in range(rows)]
            links = [
                link and pairs[row] == pairs[row + 1] and self.may_be_joined(row + 1) and not self.ends_run(row)
                for row, link in enumerate(links)
            ]
        return [False, *links]


def _are_valid(buffer: bytearray, packets: Rows, kind: _Kind) -> list[bool]:
    """By full row whether its checksums are right, if it is of this kind; if it is not, anything."""
    rows, start, stride = packets.whole, packets.start, packets.stride
    behind = kind.total_bytes - kind.network_bytes
    # The addresses stand right before the transport header; with them nearly all of the pseudo-header is covered.
    skipped = 12 if kind.version == 4 else 8
    wanted = -(kind.protocol + behind) % MODULUS
    sums = row_residues(buffer, start + skipped, stride, rows, kind.total_bytes - skipped)
    if kind.version == 6:
        valid = [total == wanted for total in sums]
    else:
        headers = row_residues(buffer, start, stride, rows, IPV4_HEADER_BYTES)
        valid = [total == wanted and not header for total, header in zip(sums, headers, strict=True)]
        _refuse_ones(valid, buffer, packets, 10)
    if kind.protocol == TCP:
        _refuse_ones(valid, buffer, packets, kind.network_bytes + 16)
    return valid


def _refuse_ones(valid: list[bool], buffer: bytearray, packets: Rows, field: int) -> None:
    """A checksum of ones is as good as one of zeros, which is what the host would write (RFC 1624, 3)."""
    begin, end = packets.start + field, packets.start + packets.whole * packets.stride
    high = buffer[begin : end : packets.stride]
    if 0xFF in high:
        low = buffer[begin + 1 : end : packets.stride]
        for row, (first, second) in enumerate(zip(high, low, strict=True)):
            if first == second == 0xFF:
                valid[row] = False


def _tail_total_bytes(buffer: bytearray, packets: Rows, kind: _Kind, first: int) -> int:
    """The length of the last, shorter row if it may follow the run from row ``first`` to the end; 0 if not."""
    begin = packets.begin(packets.whole)
    found = _kind_of(buffer, begin, packets.last_size)
    if found is None or found[:4] != kind[:4] or found.payload_bytes >= kind.payload_bytes:
        return 0
    tail = Rows(begin, packets.last_size, 1, packets.last_size, packets.last_size)
    if not _are_valid(buffer, tail, found)[0]:
        return 0
    mine = _row_struct(kind, packets.stride, 1).unpack_from(buffer, packets.begin(first))
    its = _row_struct(kind, packets.stride, 1).unpack_from(buffer, begin)
    distance = packets.whole - first
    same: Sequence[int] = (2, 3, 5, 7, 8) if kind.protocol == TCP else (2, 3)
    if any(mine[column] != its[column] for column in same):
        return 0
    if kind.version == 4:
        if mine[0][:2] != its[0][:2] or its[1] != (mine[1] + distance) & _ID_MASK:
            return 0
    elif mine[0] != its[0]:
        return 0
    if kind.protocol == UDP:
        is_whole = its[4] == found.total_bytes - kind.network_bytes
        return found.total_bytes if is_whole and its[5] else 0
    if its[4] != (mine[4] + distance * kind.payload_bytes) & _SEQUENCE_MASK or its[6] | _PSH != _ACK | _PSH:
        return 0
    return found.total_bytes
