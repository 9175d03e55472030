# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""From the underlay to the TUN: a batch of datagrams is opened in place.

Datagrams of one source and one size that lie at equal distances are opened as one run (``Rows``), under one lease, with
the replay window asked before the AEAD and told after it, once (checklist 27). A bad tag, a replay or a bad header
costs one packet. Handshake messages go to the core. With offloads, packets of one flow leave as super-packets.
"""

from __future__ import annotations

import functools
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import repeat
from operator import length_hint
from typing import Final

from ..core import Device, OpenLease, Owner, accepts
from ..crypto import AuthenticationFailed
from ..drops import DropReason
from ..errors import PacketDropped
from ..wire import KEEPALIVE_BYTES, TAG_BYTES, TRANSPORT_HEADER_BYTES, TRANSPORT_TYPE, Endpoint, LocalAddress, ip
from ..wire.batch import Batch
from .coalescing import Pieces, find_runs, join
from .nonces import Nonces
from .rows import Rows, RowViews

_HEADER_WORDS = "QQ"  # type and receiver index; counter
_HEADER = struct.Struct("<" + _HEADER_WORDS)
_NONCE = struct.Struct("<4xQ")
_TYPE_MASK: Final = 0xFFFFFFFF
_ROWS: Final = 128  # of one run; more are opened as several

Packet = memoryview | Pieces


class Inbound:
    """Opens batches for one device. has_offloads: the TUN takes super-packets; joins_udp: of UDP as well as of TCP."""

    def __init__(self, device: Device, *, has_offloads: bool = False, joins_udp: bool = True) -> None:
        self._device = device
        self._has_offloads = has_offloads
        self._joins_udp = joins_udp
        self._nonces = Nonces(_ROWS)
        self._views = RowViews()
        self._batch: Batch | None = None

    def process(self, datagrams: Batch, now: float) -> list[Packet]:
        """Open ``datagrams`` in place; returns the inner packets for the TUN, in order, made of views of the batch.

        Poll the device afterwards.
        """
        if datagrams is not self._batch:
            self._batch, self._views = datagrams, RowViews()
        packets: list[Packet] = []
        if datagrams.count == 1 and not datagrams.segment_sizes[0]:
            self._open_single(datagrams, now, packets)
        else:
            for rows, source, local in _runs(datagrams):
                _Run(self, self._device, datagrams, rows, source, local, now, packets).receive()
        return packets

    def _open_single(self, datagrams: Batch, now: float, packets: list[Packet]) -> None:
        """What ``_Run`` does, for the datagram that came alone: whoever waits for it sees every step of the way."""
        device, length, source, local = self._device, datagrams.lengths[0], datagrams.endpoints[0], datagrams.locals[0]
        if source is None:
            return
        begin = datagrams.headroom
        view, stop = datagrams.view, begin + length
        name, counter = _HEADER.unpack_from(datagrams.buffer, begin) if length >= KEEPALIVE_BYTES else (0, 0)
        if name & _TYPE_MASK != TRANSPORT_TYPE:
            device.receive_datagram(view[begin:stop], source, local, now)
            return
        lease = device.lease_open(name >> 32, now)
        if lease is None:
            return
        begin += TRANSPORT_HEADER_BYTES
        plain = view[begin : stop - TAG_BYTES]
        try:
            if not lease.check(counter):
                raise PacketDropped(DropReason.REPLAYED)
            lease.aead.decrypt_into(_NONCE.pack(counter), view[begin:stop], None, plain)
            lease.commit(counter)
            device.commit_open(lease, source, local, 1, length, length > KEEPALIVE_BYTES, now)
            if length == KEEPALIVE_BYTES:
                return
            _, inner_source, _, total_length = ip.inspect(plain)
            owner = device.allowed_ips.lookup(inner_source)
            if owner is not lease.peer and not accepts(owner, lease.peer):
                raise PacketDropped(DropReason.WRONG_SOURCE)
            packets.append(plain[:total_length])
        except AuthenticationFailed:
            device.drops[DropReason.BAD_TAG] += 1
        except PacketDropped as drop:
            device.drops[drop.reason] += 1


def _runs(datagrams: Batch) -> Iterator[tuple[Rows, Endpoint, LocalAddress | None]]:
    lengths, sizes, stride = datagrams.lengths, datagrams.segment_sizes, datagrams.stride
    endpoints, locals_ = datagrams.endpoints, datagrams.locals
    first, count = 0, datagrams.count
    while first < count:
        source, local, length, size = endpoints[first], locals_[first], lengths[first], sizes[first]
        begin = first * stride + datagrams.headroom
        end = first + 1
        if source is None:
            first = end
            continue
        if 0 < size < length:
            for start in range(0, length, size * _ROWS):
                part = min(length - start, size * _ROWS)
                rows = -(-part // size)
                yield Rows(begin + start, size, rows, size, part - (rows - 1) * size), source, local
        else:
            while (
                end < count
                and lengths[end] == length
                and not 0 < sizes[end] < length
                and endpoints[end] == source
                and locals_[end] == local
                and end - first < _ROWS
            ):
                end += 1
            yield Rows(begin, stride, end - first, length, length), source, local
        first = end


@functools.lru_cache(256)
def _headers_struct(stride: int, rows: int) -> struct.Struct:
    gap = f"{stride - TRANSPORT_HEADER_BYTES}x"
    return struct.Struct("<" + (_HEADER_WORDS + gap) * (rows - 1) + _HEADER_WORDS)


class _Run:
    """Rows from one source on their way through; lives for one call."""

    __slots__ = ("_buffer", "_device", "_inbound", "_local", "_now", "_packets", "_rows", "_source", "_view")

    def __init__(
        self,
        inbound: Inbound,
        device: Device,
        datagrams: Batch,
        rows: Rows,
        source: Endpoint,
        local: LocalAddress | None,
        now: float,
        packets: list[Packet],
    ) -> None:
        self._inbound = inbound
        self._device = device
        self._buffer = datagrams.buffer
        self._view = datagrams.view
        self._rows = rows
        self._source = source
        self._local = local
        self._now = now
        self._packets = packets

    def receive(self) -> None:
        """Tell data from handshakes, and one receiver index from another."""
        rows = self._rows
        if rows.size < KEEPALIVE_BYTES:
            self._give_to_core(range(rows.count))
            return
        count = rows.count if rows.last_size >= KEEPALIVE_BYTES else rows.count - 1
        words = _headers_struct(rows.stride, count).unpack_from(self._buffer, rows.start)
        names, counters = words[0::2], words[1::2]
        first = 0
        while first < count:
            name = names[first]
            end = first + 1
            if count > 1 and names == (name,) * count:
                end = count
            else:
                while end < count and names[end] == name:
                    end += 1
            if name & _TYPE_MASK == TRANSPORT_TYPE:
                self._open(first, end, name >> 32, counters)
            else:
                self._give_to_core(range(first, end))
            first = end
        self._give_to_core(range(count, rows.count))

    def _give_to_core(self, rows: range) -> None:
        for row in rows:
            begin = self._rows.begin(row)
            datagram = self._view[begin : begin + self._rows.length(row)]
            self._device.receive_datagram(datagram, self._source, self._local, self._now)

    def _open(self, first: int, end: int, receiver_index: int, counters: Sequence[int]) -> None:
        device, now = self._device, self._now
        lease = device.lease_open(receiver_index, now)
        if lease is None:
            for _ in range(first + 1, end):  # each datagram is counted for the reason that the core knows
                device.lease_open(receiver_index, now)
            return
        opened = self._commit(lease, self._decrypt(lease, first, end, counters), counters)
        count = len(opened)
        if not count:
            return
        rows = self._rows
        wire_bytes = count * rows.size
        if opened[-1] == rows.count - 1:
            wire_bytes += rows.last_size - rows.size
        has_data = wire_bytes > count * KEEPALIVE_BYTES
        device.commit_open(lease, self._source, self._local, count, wire_bytes, has_data, now)
        if has_data:
            self._deliver(lease, opened)

    def _decrypt(self, lease: OpenLease, first: int, end: int, counters: Sequence[int]) -> Sequence[int]:
        """The rows that are authentic; their plaintext then stands where the ciphertext was."""
        check = lease.check
        own = counters[first:end]
        if end - first > 1 and check(own[0]) and check(own[-1]) and own == tuple(range(own[0], own[0] + len(own))):
            return self._decrypt_some(lease, range(first, end), own)
        fresh = [row for row in range(first, end) if check(counters[row])]
        if len(fresh) < end - first:
            self._device.drops[DropReason.REPLAYED] += end - first - len(fresh)
        return self._decrypt_some(lease, fresh, [counters[row] for row in fresh])

    def _decrypt_some(self, lease: OpenLease, wanted: Sequence[int], counters: Sequence[int]) -> Sequence[int]:
        sealed, plain = self._texts(wanted)
        nonces = self._inbound._nonces.of(counters)
        decrypt_into = lease.aead.decrypt_into
        begin, count = 0, len(wanted)
        failed: set[int] = set()
        while begin < count:
            remaining = iter(nonces[begin:])
            try:
                deque(map(decrypt_into, remaining, sealed[begin:], repeat(None), plain[begin:]), 0)
                break
            except AuthenticationFailed:
                begin = count - length_hint(remaining)
                failed.add(wanted[begin - 1])
        if not failed:
            return wanted
        self._device.drops[DropReason.BAD_TAG] += len(failed)
        return [row for row in wanted if row not in failed]

    def _texts(self, wanted: Sequence[int]) -> tuple[Sequence[memoryview], Sequence[memoryview]]:
        """(ciphertexts with their tags, plaintexts) of the rows."""
        rows, view = self._rows, self._view
        start, views = rows.start + TRANSPORT_HEADER_BYTES, self._inbound._views
        behind = rows.size - TRANSPORT_HEADER_BYTES
        if isinstance(wanted, range) and rows.stride == rows.size:
            stop = min(wanted.stop, rows.whole)
            sealed = views.of(view, start, rows.stride, behind, stop)[wanted.start : stop]
            plain = views.of(view, start, rows.stride, behind - TAG_BYTES, stop)[wanted.start : stop]
            if stop < wanted.stop:
                begin, end = start + stop * rows.stride, rows.begin(stop) + rows.last_size
                sealed.append(view[begin:end])
                plain.append(view[begin : end - TAG_BYTES])
            return sealed, plain
        begins = [rows.begin(row) + TRANSPORT_HEADER_BYTES for row in wanted]
        stops = [rows.begin(row) + rows.length(row) for row in wanted]
        return (
            [view[begin:stop] for begin, stop in zip(begins, stops, strict=True)],
            [view[begin : stop - TAG_BYTES] for begin, stop in zip(begins, stops, strict=True)],
        )

    def _commit(self, lease: OpenLease, wanted: Sequence[int], counters: Sequence[int]) -> Sequence[int]:
        """The rows whose counters are fresh. The common case, one run without a gap, is one update of the window."""
        if not wanted:
            return wanted
        first, count = counters[wanted[0]], len(wanted)
        if (
            isinstance(wanted, range) or [counters[row] for row in wanted] == list(range(first, first + count))
        ) and lease.commit_run(first, count):
            return wanted
        fresh = [row for row in wanted if lease.commit(counters[row])]
        if len(fresh) < count:
            self._device.drops[DropReason.REPLAYED] += count - len(fresh)
        return fresh

    def _deliver(self, lease: OpenLease, opened: Sequence[int]) -> None:
        """Let through what comes from the peer's own addresses (checklist 30), joined where that is possible."""
        first, end = opened[0], opened[-1] + 1
        if not self._has_offloads or end - first < 2 or end - first != len(opened):
            self._deliver_singly(lease, opened)
            return
        rows = self._rows
        packets = Rows(
            rows.begin(first) + TRANSPORT_HEADER_BYTES,
            rows.stride,
            end - first,
            rows.size - KEEPALIVE_BYTES,
            rows.length(end - 1) - KEEPALIVE_BYTES,
        )
        done = first
        for run in find_runs(self._buffer, packets, joins_udp=self._inbound._joins_udp):
            begin = packets.begin(run.first)
            addresses = (
                self._view[begin + 12 : begin + 16] if run.kind.version == 4 else self._view[begin + 8 : begin + 24]
            )
            if not accepts(self._device.allowed_ips.lookup(bytes(addresses)), lease.peer):
                continue  # one by one: each is counted
            self._deliver_singly(lease, range(done, first + run.first))
            self._packets.append(join(self._view, packets, run, self._inbound._views))
            done = first + run.end
        self._deliver_singly(lease, range(done, end))

    @property
    def _has_offloads(self) -> bool:
        return self._inbound._has_offloads

    def _deliver_singly(self, lease: OpenLease, opened: Sequence[int]) -> None:
        """Cut the padding off (checklist 29)."""
        rows, view, packets = self._rows, self._view, self._packets
        lookup, peer, drops, inspect = self._device.allowed_ips.lookup, lease.peer, self._device.drops, ip.inspect
        accepted: Owner | None = peer  # or the group that let the last one through: most have the same owner
        for row in opened:
            start = rows.begin(row) + TRANSPORT_HEADER_BYTES
            length = rows.length(row) - KEEPALIVE_BYTES
            if not length:
                continue
            try:
                _, inner_source, _, total_length = inspect(view[start : start + length])
            except PacketDropped as drop:
                drops[drop.reason] += 1
                continue
            owner = lookup(inner_source)
            if owner is accepted or accepts(owner, peer):
                accepted = owner
                packets.append(view[start : start + total_length])
            else:
                drops[DropReason.WRONG_SOURCE] += 1
