# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""From the TUN to the underlay: a batch of packets becomes batches of datagrams.

Consecutive packets of one peer share a lease. A super-packet is cut while it is sealed. With numpy its packets are laid
out where the datagrams will be, all at once, and sealed in place. Without, each piece's header is written before
its payload, over the tail of the piece before, which is sealed already, so that no payload is copied.
Whatever has no session, no route, or does not fit goes to the core one by one, which stages, drops and counts.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from itertools import repeat
from typing import Final

from ..core import Device, Group, Peer, SealLease
from ..drops import DropReason
from ..errors import PacketDropped
from ..wire import TAG_BYTES, TRANSPORT_HEADER_BYTES, TRANSPORT_OVERHEAD_BYTES, TRANSPORT_TYPE, padded_length
from ..wire.batch import Batch
from . import vectors, virtio
from .nonces import Nonces
from .segment_rows import SegmentRows
from .segmentation import Segments, SuperPacket, complete_checksum, layout, segment
from .virtio import OffloadHeader

_HEADER = struct.Struct("<IIQ")
_NONCE = struct.Struct("<4xQ")
_OFFLOAD: Final = TRANSPORT_HEADER_BYTES - virtio.HEADER_BYTES  # of the first packet's header; then the GSO type
_PADDING = 16
_ZEROS = tuple(bytes(n) for n in range(_PADDING))
_MIN_ROOM_BYTES = 2048
_SUPER_PACKET_BYTES = 65536 + _PADDING
_FEWEST_ROWS: Final = 6  # of a super-packet: fewer are quicker one by one
DATAGRAMS: Final = 128  # in one batch: two super-packets of full size and then some


def packet_batch(capacity: int, mtu_bytes: int, *, has_offloads: bool = False) -> Batch:
    """Where packets of the TUN are read into: behind the room for an offload header, with room for padding."""
    room = _SUPER_PACKET_BYTES if has_offloads else _room_bytes(mtu_bytes)
    return Batch(capacity, TRANSPORT_HEADER_BYTES + room, TRANSPORT_HEADER_BYTES)


def _room_bytes(mtu_bytes: int) -> int:
    return max((mtu_bytes + 2 * _PADDING - 1) & -_PADDING, _MIN_ROOM_BYTES)


def _member_for(view: memoryview, start: int, group: Group) -> Peer:
    """Whom the packet at ``start`` goes to."""
    if not group.is_relayed:
        return group.active
    source = view[start + 12 : start + 16] if view[start] >> 4 == 4 else view[start + 8 : start + 24]
    return group.member_for(source.tobytes())


class Outbound:
    """Seals batches for one device. has_offloads: an offload header stands before each packet."""

    def __init__(self, device: Device, mtu_bytes: int, *, has_offloads: bool = False) -> None:
        self._device = device
        self._has_offloads = has_offloads
        self._mtu_bytes = mtu_bytes
        self._room = _room_bytes(mtu_bytes)
        self._datagrams = Batch(DATAGRAMS, self._room + TRANSPORT_OVERHEAD_BYTES)
        self._nonces = Nonces(DATAGRAMS)
        self._rows = SegmentRows(self._datagrams) if has_offloads and vectors.HAS_NUMPY else None

    def process(self, packets: Batch, now: float) -> Iterator[Batch]:
        """Seal ``packets``, which are used up by it; yields batches to be sent before the next one is asked for.

        Poll the device and send what it has *before* each of them: it may be older data of the same peers
        (checklist 31).
        """
        self._datagrams.count = 0
        if packets.count == 1 and not (self._has_offloads and packets.buffer[_OFFLOAD] | packets.buffer[_OFFLOAD + 1]):
            return self._seal_single(packets, now)
        return self._seal(packets, *self._look(packets), now)

    def _seal_single(self, packets: Batch, now: float) -> Iterator[Batch]:
        """What ``_seal`` does, for a packet that came alone: whoever waits for it sees every step of the way.

        So the core is told after it was sent.
        """
        device, datagrams, view, length = self._device, self._datagrams, packets.view, packets.lengths[0]
        padded = (length + _PADDING - 1) & -_PADDING
        if padded > self._mtu_bytes:
            padded = padded_length(length, device.mtu_bytes)
        start = TRANSPORT_HEADER_BYTES
        version = view[start] >> 4 if padded <= self._room else 0
        owner = lease = None
        if version == 4 and length >= 20:
            owner = device.allowed_ips.lookup(view[start + 16 : start + 20].tobytes())
        elif version == 6 and length >= 40:
            owner = device.allowed_ips.lookup(view[start + 24 : start + 40].tobytes())
        peer = _member_for(view, start, owner) if type(owner) is Group else owner
        if peer is not None:
            lease = device.lease_seal(peer, 1, now)
        if lease is None:
            device.send_packet(packets.slot(0), now)
            return
        stop = start + padded
        if padded != length:
            packets.buffer[start + length : stop] = _ZEROS[padded - length]
        counter = lease.first_counter
        _HEADER.pack_into(datagrams.buffer, 0, TRANSPORT_TYPE, lease.receiver_index, counter)
        lease.aead.encrypt_into(_NONCE.pack(counter), view[start:stop], None, datagrams.view[start : stop + TAG_BYTES])
        size = datagrams.lengths[0] = padded + TRANSPORT_OVERHEAD_BYTES
        datagrams.endpoints[0], datagrams.locals[0] = lease.endpoint, lease.local
        datagrams.count = 1
        yield datagrams
        device.commit_seal(lease, 1, size, now)

    def _seal(
        self, packets: Batch, peers: list[Peer | None], offloads: list[OffloadHeader | None], now: float
    ) -> Iterator[Batch]:
        datagrams, count = self._datagrams, packets.count
        first = 0
        while first < count:
            peer, offload = peers[first], offloads[first]
            if offload is not None:
                yield from self._seal_super_packet(packets, first, offload, peer, now)
                first += 1
                continue
            end = first + 1
            while end < count and peers[end] is peer and offloads[end] is None:
                end += 1
            if end - first > datagrams.capacity - datagrams.count:
                yield datagrams
                datagrams.count = 0
            lease = self._device.lease_seal(peer, end - first, now) if peer is not None else None
            if lease is None:
                if datagrams.count:  # what is sealed leaves before what the core seals
                    yield datagrams
                    datagrams.count = 0
                for i in range(first, end):
                    self._device.send_packet(packets.slot(i), now)
            else:
                self._seal_run(lease, packets, first, end, now)
            first = end
        if datagrams.count:
            yield datagrams

    def _look(self, packets: Batch) -> tuple[list[Peer | None], list[OffloadHeader | None]]:
        """By packet the peer that its destination belongs to (None lets the core say what is wrong with it), and
        what there is to cut. Checksums that are missing are put in."""
        buffer, view, stride = packets.buffer, packets.view, packets.stride
        lookup = self._device.allowed_ips.lookup
        room, has_offloads = self._room, self._has_offloads
        mtu_bytes = self._device.mtu_bytes
        start = packets.headroom
        peers: list[Peer | None] = []
        offloads: list[OffloadHeader | None] = []
        for i in range(packets.count):
            offload = None
            if has_offloads:
                before = start - virtio.HEADER_BYTES
                if buffer[before + 1]:
                    offload = OffloadHeader.unpack(buffer, before)
                elif buffer[before] & virtio.NEEDS_CSUM:
                    self._complete(packets, i, start)
            length = packets.lengths[i]
            version = buffer[start] >> 4 if length else 0
            owner = None
            if offload is None and padded_length(length, mtu_bytes) > room:
                pass
            elif version == 4 and length >= 20:
                owner = lookup(view[start + 16 : start + 20].tobytes())
            elif version == 6 and length >= 40:
                owner = lookup(view[start + 24 : start + 40].tobytes())
            peers.append(_member_for(view, start, owner) if type(owner) is Group else owner)
            offloads.append(offload)
            start += stride
        return peers, offloads

    def _complete(self, packets: Batch, i: int, start: int) -> None:
        offload = OffloadHeader.unpack(packets.buffer, start - virtio.HEADER_BYTES)
        try:
            complete_checksum(packets.buffer, start, packets.lengths[i], offload)
        except PacketDropped:
            packets.lengths[i] = 0  # for the core to count

    def _seal_run(self, lease: SealLease, packets: Batch, first: int, end: int, now: float) -> None:
        """Seal slots first..end-1 under the lease's counters."""
        buffer, view, stride, lengths = packets.buffer, packets.view, packets.stride, packets.lengths
        mtu_bytes = self._device.mtu_bytes
        encrypt_into = lease.aead.encrypt_into
        views, slot = self._datagrams.views, self._datagrams.count
        counters = range(lease.first_counter, lease.first_counter + end - first)
        start = first * stride + packets.headroom
        sizes = []
        for length, nonce in zip(lengths[first:end], self._nonces.of(counters), strict=True):
            padded = padded_length(length, mtu_bytes)
            stop = start + padded
            if padded != length:
                buffer[start + length : stop] = _ZEROS[padded - length]
            encrypt_into(nonce, view[start:stop], None, views(TRANSPORT_HEADER_BYTES, padded + TAG_BYTES)[slot])
            sizes.append(padded + TRANSPORT_OVERHEAD_BYTES)
            slot += 1
            start += stride
        self._finish(lease, sizes, now)

    def _finish(self, lease: SealLease, sizes: list[int], now: float) -> None:
        """Headers and addresses of the datagrams that were sealed last, and what the core has to know of them."""
        datagrams = self._datagrams
        first, count = datagrams.count, len(sizes)
        end = first + count
        buffer, stride, put_header = datagrams.buffer, datagrams.stride, _HEADER.pack_into
        receiver_index, counter, begin = lease.receiver_index, lease.first_counter, first * stride
        for k in range(count):
            put_header(buffer, begin + k * stride, TRANSPORT_TYPE, receiver_index, counter + k)
        datagrams.lengths[first:end] = sizes
        datagrams.endpoints[first:end] = [lease.endpoint] * count
        datagrams.locals[first:end] = [lease.local] * count
        datagrams.count = end
        self._device.commit_seal(lease, count, sum(sizes), now)

    def _seal_super_packet(
        self, packets: Batch, slot: int, offload: OffloadHeader, peer: Peer | None, now: float
    ) -> Iterator[Batch]:
        device, datagrams, rows = self._device, self._datagrams, self._rows
        try:
            start = slot * packets.stride + packets.headroom
            whole = layout(packets.buffer, start, packets.lengths[slot], offload)
            if padded_length(whole.header_bytes + whole.size, device.mtu_bytes) > self._room:
                raise PacketDropped(DropReason.BAD_PACKET_LENGTH)
        except PacketDropped as drop:
            device.drops[drop.reason] += 1
            return
        segments = segment(packets.buffer, whole) if rows is None or whole.pieces < _FEWEST_ROWS else None
        done = 0
        while done < whole.pieces:
            if datagrams.count == datagrams.capacity:
                yield datagrams
                datagrams.count = 0
            end = min(whole.pieces, done + datagrams.capacity - datagrams.count)
            lease = device.lease_seal(peer, end - done, now) if peer is not None else None
            if lease is None:
                if datagrams.count:
                    yield datagrams
                    datagrams.count = 0
                # Where pieces were sealed, headers lie over their payloads; those that follow are as they were.
                segments = segments or segment(packets.buffer, whole)
                for packet in segments.packets(packets.buffer)[done:]:
                    device.send_packet(packet, now)
                return
            if segments is not None:
                sizes = self._seal_pieces(lease, packets, segments, done, end)
            else:
                assert rows is not None
                sizes = self._seal_rows(lease, rows, packets, whole, done, end)
            self._finish(lease, sizes, now)
            done = end

    def _seal_rows(
        self, lease: SealLease, rows: SegmentRows, packets: Batch, whole: SuperPacket, first: int, end: int
    ) -> list[int]:
        """As ``_seal_pieces``, all at once where that is possible: packets are laid out, then sealed in place."""
        datagrams, mtu_bytes = self._datagrams, self._device.mtu_bytes
        slot, count = datagrams.count, end - first
        padded = padded_length(whole.header_bytes + whole.size, mtu_bytes)
        last = padded_length(whole.header_bytes + whole.last_size, mtu_bytes) if end == whole.pieces else padded
        rows.lay_out(packets.buffer, whole, first, end, slot, padded)
        plain = list(datagrams.views(TRANSPORT_HEADER_BYTES, padded)[slot : slot + count])
        sealed = list(datagrams.views(TRANSPORT_HEADER_BYTES, padded + TAG_BYTES)[slot : slot + count])
        if last != padded:
            plain[-1] = plain[-1][:last]
            sealed[-1] = datagrams.views(TRANSPORT_HEADER_BYTES, last + TAG_BYTES)[slot + count - 1]
        nonces = self._nonces.of(range(lease.first_counter, lease.first_counter + count))
        deque(map(lease.aead.encrypt_into, nonces, plain, repeat(None), sealed), 0)
        return [padded + TRANSPORT_OVERHEAD_BYTES] * (count - 1) + [last + TRANSPORT_OVERHEAD_BYTES]

    def _seal_pieces(self, lease: SealLease, packets: Batch, segments: Segments, first: int, end: int) -> list[int]:
        """Seal pieces first..end-1; returns the sizes of the datagrams."""
        buffer, view = packets.buffer, packets.view
        headers, header_bytes, size = segments.headers, segments.header_bytes, segments.size
        encrypt_into, mtu_bytes = lease.aead.encrypt_into, self._device.mtu_bytes
        slot = self._datagrams.count
        length = header_bytes + size
        padded = padded_length(length, mtu_bytes)
        whole = end - 1 if end == len(headers) else end
        nonces = self._nonces.of(range(lease.first_counter, lease.first_counter + end - first))
        begin = segments.payload_start - header_bytes + first * size
        rooms = self._datagrams.views(TRANSPORT_HEADER_BYTES, padded + TAG_BYTES)
        if padded == length:
            for header, nonce, room in zip(headers[first:whole], nonces, rooms[slot:], strict=False):
                buffer[begin : begin + header_bytes] = header
                encrypt_into(nonce, view[begin : begin + length], None, room)
                begin += size
        else:
            zeros = _ZEROS[padded - length]
            for header, nonce, room in zip(headers[first:whole], nonces, rooms[slot:], strict=False):
                stop, padded_stop = begin + length, begin + padded
                buffer[begin : begin + header_bytes] = header
                next_payload = buffer[stop:padded_stop]  # the padding lies over it for a moment
                buffer[stop:padded_stop] = zeros
                encrypt_into(nonce, view[begin:padded_stop], None, room)
                buffer[stop:padded_stop] = next_payload
                begin += size
        sizes = [padded + TRANSPORT_OVERHEAD_BYTES] * (whole - first)
        if whole < end:
            last = header_bytes + segments.last_size
            padded = padded_length(last, mtu_bytes)
            buffer[begin : begin + header_bytes] = headers[whole]
            buffer[begin + last : begin + padded] = _ZEROS[padded - last]
            room = self._datagrams.views(TRANSPORT_HEADER_BYTES, padded + TAG_BYTES)[slot + whole - first]
            encrypt_into(nonces[whole - first], view[begin : begin + padded], None, room)
            sizes.append(padded + TRANSPORT_OVERHEAD_BYTES)
        return sizes
