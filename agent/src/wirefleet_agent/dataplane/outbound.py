# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""From the TUN to the underlay: a batch of packets becomes a batch of datagrams in the same memory.

Consecutive packets of one peer share a lease. Whatever has no session, no route, or does not fit goes to the core
one by one, which stages, drops and counts; its slot is left without an endpoint and is not sent.
"""

from __future__ import annotations

import struct

from ..core import Device, Peer, SealLease
from ..wire import TAG_BYTES, TRANSPORT_HEADER_BYTES, TRANSPORT_OVERHEAD_BYTES, TRANSPORT_TYPE, padded_length
from ..wire.batch import Batch

_HEADER = struct.Struct("<IIQ")
_NONCE = struct.Struct("<4xQ")
_PADDING = 16
_ZEROS = tuple(bytes(n) for n in range(_PADDING))
_MIN_ROOM_BYTES = 2048


def outbound_batches(capacity: int, mtu_bytes: int) -> tuple[Batch, Batch]:
    """(packets, datagrams) over one memory: packets are read behind a header's room, datagrams begin with it."""
    room = max(mtu_bytes + _PADDING + TAG_BYTES, _MIN_ROOM_BYTES)
    stride = TRANSPORT_HEADER_BYTES + (room + _PADDING - 1) // _PADDING * _PADDING
    packets = Batch(capacity, stride, TRANSPORT_HEADER_BYTES)
    return packets, packets.reframed(0)


class Outbound:
    """Seals batches for one device."""

    def __init__(self, device: Device) -> None:
        self._device = device

    def process(self, packets: Batch, datagrams: Batch, now: float) -> int:
        """Seal ``packets`` in place; ``datagrams`` is their second look (``outbound_batches``).

        Returns how many datagrams have an endpoint. Poll the device and send what it has *before* them: it
        may be older data of the same peers (checklist 31).
        """
        device = self._device
        count = packets.count
        peers = self._owners(packets)
        datagrams.count = count
        sealed = first = 0
        while first < count:
            peer = peers[first]
            end = first + 1
            while end < count and peers[end] is peer:
                end += 1
            lease = device.lease_seal(peer, end - first, now) if peer is not None else None
            if lease is None:
                for i in range(first, end):
                    datagrams.endpoints[i] = None
                    device.send_packet(packets.slot(i), now)
            else:
                wire_bytes = _seal_run(lease, packets, datagrams, first, end, device.mtu_bytes)
                device.commit_seal(lease, end - first, wire_bytes, now)
                sealed += end - first
            first = end
        return sealed

    def _owners(self, packets: Batch) -> list[Peer | None]:
        """For each packet the peer that its destination belongs to; None lets the core say what is wrong with it."""
        buffer, view, stride = packets.buffer, packets.view, packets.stride
        lookup = self._device.allowed_ips.lookup
        room = stride - packets.headroom - TAG_BYTES
        mtu_bytes = self._device.mtu_bytes
        start = packets.headroom
        peers: list[Peer | None] = []
        for length in packets.lengths[: packets.count]:
            version = buffer[start] >> 4 if length else 0
            if length > room or padded_length(length, mtu_bytes) > room:
                peers.append(None)
            elif version == 4 and length >= 20:
                peers.append(lookup(view[start + 16 : start + 20].tobytes()))
            elif version == 6 and length >= 40:
                peers.append(lookup(view[start + 24 : start + 40].tobytes()))
            else:
                peers.append(None)
            start += stride
        return peers


def _seal_run(lease: SealLease, packets: Batch, datagrams: Batch, first: int, end: int, mtu_bytes: int) -> int:
    """Seal slots first..end-1 under the lease's counters; returns the bytes on the wire."""
    buffer, view, stride = packets.buffer, packets.view, packets.stride
    lengths, sizes, endpoints, locals_ = packets.lengths, datagrams.lengths, datagrams.endpoints, datagrams.locals
    encrypt_into, put_header, nonce = lease.aead.encrypt_into, _HEADER.pack_into, _NONCE.pack
    receiver_index, endpoint, local = lease.receiver_index, lease.endpoint, lease.local
    counter = lease.first_counter
    begin = first * stride
    wire_bytes = 0
    for i in range(first, end):
        start = begin + TRANSPORT_HEADER_BYTES
        length = lengths[i]
        padded = padded_length(length, mtu_bytes)
        if padded != length:
            buffer[start + length : start + padded] = _ZEROS[padded - length]
        put_header(buffer, begin, TRANSPORT_TYPE, receiver_index, counter)
        stop = start + padded
        encrypt_into(nonce(counter), view[start:stop], None, view[start : stop + TAG_BYTES])
        sizes[i] = padded + TRANSPORT_OVERHEAD_BYTES
        endpoints[i] = endpoint
        locals_[i] = local
        wire_bytes += padded + TRANSPORT_OVERHEAD_BYTES
        counter += 1
        begin += stride
    return wire_bytes
