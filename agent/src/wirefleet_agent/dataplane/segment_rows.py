# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Cutting a super-packet with numpy: all its packets are written at once, each where its datagram will be.

The result is that of ``segmentation.segment``, which says what the rules are; tests hold the two against each other.
"""

from __future__ import annotations

from ..wire import TRANSPORT_HEADER_BYTES
from ..wire.batch import Batch
from ..wire.ip import IPV6_HEADER_BYTES, TCP
from .checksums import residue, row_residues
from .segmentation import CWR, FIN_PSH, SuperPacket
from .vectors import MODULUS, Array, Columns, as_bytes, row_sums

_AT = TRANSPORT_HEADER_BYTES  # where a packet begins in its slot


class SegmentRows:
    """Writes into the slots of one batch of datagrams, behind the room for WireGuard's header. Needs numpy."""

    def __init__(self, datagrams: Batch) -> None:
        self._columns = Columns(datagrams)

    def lay_out(
        self, buffer: bytearray, packet: SuperPacket, first: int, end: int, slot: int, padded_bytes: int
    ) -> None:
        """Write packets first..end-1 of the super-packet in ``buffer`` into the slots from ``slot`` on.

        Behind each are zeros up to ``padded_bytes``, which is at least the length of a packet of full size.
        """
        count, size, header_bytes = end - first, packet.size, packet.header_bytes
        payload = _AT + header_bytes
        source = packet.start + header_bytes + first * size
        whole = count - 1 if end == packet.pieces else count
        columns = self._columns
        rows = columns.bytes[slot : slot + count]
        rows[:whole, payload : payload + size] = as_bytes(buffer, source, whole, size)
        if padded_bytes > header_bytes + size:
            rows[:, payload + size : _AT + padded_bytes] = 0
        sizes, sums = columns.full(count, size), columns.full(count, 0)
        sums[:whole] = (row_sums if size >= 4 else row_residues)(buffer, source, size, whole, size)
        if whole < count:
            last_source, last_size = source + whole * size, packet.last_size
            rows[whole, payload : payload + last_size] = as_bytes(buffer, last_source, 1, last_size)
            rows[whole, payload + last_size : payload + size] = 0
            sizes[whole] = last_size
            sums[whole] = residue(memoryview(buffer)[last_source : last_source + last_size])
        header = bytearray(buffer[packet.start : packet.start + header_bytes])
        self._write_headers(header, packet, slice(slot, slot + count), first, sizes, sums)

    def _write_headers(
        self, header: bytearray, packet: SuperPacket, slots: slice, first: int, sizes: Array, sums: Array
    ) -> None:
        """What all have in common first, without what differs; then field by field."""
        transport, is_tcp = packet.transport, packet.protocol == TCP
        columns = self._columns
        numbers = columns.numbers[: len(sizes)] + first
        identifications = numbers + (header[4] << 8 | header[5])
        sequences = numbers * packet.size + int.from_bytes(header[transport + 4 : transport + 8], "big")
        flags = header[transport + 13] if is_tcp else 0
        if is_tcp:
            header[transport + 4 : transport + 8] = bytes(4)
            header[transport + 13] = flags & ~(FIN_PSH | CWR)
            header[transport + 16 : transport + 18] = bytes(2)
        else:
            header[transport + 4 : transport + 8] = bytes(4)
        if packet.version == 4:
            header[2:6] = bytes(4)
            header[10:12] = bytes(2)
            addresses = residue(header[12:20])
        else:
            header[4:6] = bytes(2)
            addresses = residue(header[8:40])
        columns.bytes[slots, _AT : _AT + len(header)] = as_bytes(header, 0, 1, len(header))
        if packet.version == 4:
            self._write_v4(residue(header[:transport]), slots, identifications & 0xFFFF, sizes + len(header))
        else:
            columns.of(">u2", _AT + 4)[slots] = sizes + (len(header) - IPV6_HEADER_BYTES)
        behind = sizes + (len(header) - transport)
        sums += behind
        sums += addresses + packet.protocol + residue(header[transport:])
        if is_tcp:
            last_is_here = first + len(sizes) == packet.pieces
            own_flags = (flags & CWR if first == 0 else 0, flags & FIN_PSH if last_is_here else 0)
            self._write_tcp(transport, slots, sequences & 0xFFFFFFFF, sums, own_flags)
        else:
            self._write_udp(transport, slots, behind, sums)

    def _write_v4(self, constant: int, slots: slice, identifications: Array, totals: Array) -> None:
        of = self._columns.of
        of(">u2", _AT + 2)[slots] = totals
        of(">u2", _AT + 4)[slots] = identifications
        of(">u2", _AT + 10)[slots] = -(identifications + totals + constant) % MODULUS

    def _write_tcp(
        self, transport: int, slots: slice, sequences: Array, sums: Array, own_flags: tuple[int, int]
    ) -> None:
        """own_flags: those of the first and of the last packet alone."""
        of = self._columns.of
        of(">u4", _AT + transport + 4)[slots] = sequences
        sums += sequences >> 16
        sums += sequences & 0xFFFF
        for row, flags in zip((0, -1), own_flags, strict=True):
            if flags:
                of("u1", _AT + transport + 13)[slots][row] |= flags
                sums[row] += flags
        of(">u2", _AT + transport + 16)[slots] = -sums % MODULUS

    def _write_udp(self, transport: int, slots: slice, lengths: Array, sums: Array) -> None:
        """The length counts twice: in the pseudo-header and in the header."""
        of = self._columns.of
        of(">u2", _AT + transport + 4)[slots] = lengths
        checksums = -(sums + lengths) % MODULUS
        checksums[checksums == 0] = MODULUS
        of(">u2", _AT + transport + 6)[slots] = checksums
