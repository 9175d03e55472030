# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""From the underlay to the TUN: a batch of datagrams is opened in place.

Consecutive transport messages of one session from one source share a lease. A bad tag costs one packet; the replay
window is asked before the AEAD and told after it (checklist 27). Handshake messages go to the core.
"""

from __future__ import annotations

import struct

from ..core import Device, OpenLease
from ..crypto import AuthenticationFailed
from ..drops import DropReason
from ..errors import PacketDropped
from ..wire import KEEPALIVE_BYTES, TAG_BYTES, TRANSPORT_HEADER_BYTES, TRANSPORT_TYPE, Endpoint, ip
from ..wire.batch import Batch

_HEADER = struct.Struct("<IIQ")
_NONCE = struct.Struct("<4xQ")
_HANDSHAKE = -1


class Inbound:
    """Opens batches for one device."""

    def __init__(self, device: Device) -> None:
        self._device = device

    def process(self, datagrams: Batch, now: float) -> list[memoryview]:
        """Open ``datagrams`` in place; returns the inner packets for the TUN, in order, as views of the batch.

        Poll the device afterwards.
        """
        packets: list[memoryview] = []
        receivers, counters = self._headers(datagrams)
        endpoints, locals_ = datagrams.endpoints, datagrams.locals
        first, count = 0, datagrams.count
        while first < count:
            receiver, source, local = receivers[first], endpoints[first], locals_[first]
            end = first + 1
            if source is None:
                first = end
                continue
            if receiver == _HANDSHAKE:
                self._device.receive_datagram(datagrams.slot(first), source, local, now)
            else:
                while end < count and receivers[end] == receiver and endpoints[end] == source and locals_[end] == local:
                    end += 1
                self._open_run(datagrams, range(first, end), receiver, counters, now, packets)
            first = end
        return packets

    def _headers(self, datagrams: Batch) -> tuple[list[int], list[int]]:
        """Per datagram the receiver's index and the counter; what is no transport message is marked."""
        buffer, stride, unpack = datagrams.buffer, datagrams.stride, _HEADER.unpack_from
        start = datagrams.headroom
        receivers: list[int] = []
        counters: list[int] = []
        for length in datagrams.lengths[: datagrams.count]:
            kind, receiver, counter = unpack(buffer, start) if length >= KEEPALIVE_BYTES else (0, 0, 0)
            receivers.append(receiver if kind == TRANSPORT_TYPE else _HANDSHAKE)
            counters.append(counter)
            start += stride
        return receivers, counters

    def _open_run(
        self,
        datagrams: Batch,
        slots: range,
        receiver_index: int,
        counters: list[int],
        now: float,
        packets: list[memoryview],
    ) -> None:
        device = self._device
        lease = device.lease_open(receiver_index, now)
        if lease is None:
            for _ in slots[1:]:  # each datagram is counted for the reason that the core knows
                device.lease_open(receiver_index, now)
            return
        opened = self._commit(lease, self._decrypt(lease, datagrams, slots, counters), counters)
        if not opened:
            return
        lengths = datagrams.lengths
        wire_bytes = sum(lengths[i] for i in opened)
        last = opened[-1]
        source = datagrams.endpoints[last]
        assert isinstance(source, Endpoint)
        has_data = wire_bytes > len(opened) * KEEPALIVE_BYTES
        device.commit_open(lease, source, datagrams.locals[last], len(opened), wire_bytes, has_data, now)
        if has_data:
            self._deliver(lease, datagrams, opened, packets)

    def _decrypt(self, lease: OpenLease, datagrams: Batch, slots: range, counters: list[int]) -> list[int]:
        """The slots that are authentic; their plaintext then stands where the ciphertext was."""
        view, stride, lengths = datagrams.view, datagrams.stride, datagrams.lengths
        drops = self._device.drops
        check, decrypt_into, nonce = lease.check, lease.aead.decrypt_into, _NONCE.pack
        start = slots.start * stride + datagrams.headroom + TRANSPORT_HEADER_BYTES
        authentic: list[int] = []
        for i in slots:
            counter = counters[i]
            if not check(counter):
                drops[DropReason.REPLAYED] += 1
            else:
                stop = start + lengths[i] - TRANSPORT_HEADER_BYTES
                try:
                    decrypt_into(nonce(counter), view[start:stop], None, view[start : stop - TAG_BYTES])
                    authentic.append(i)
                except AuthenticationFailed:
                    drops[DropReason.BAD_TAG] += 1
            start += stride
        return authentic

    def _commit(self, lease: OpenLease, slots: list[int], counters: list[int]) -> list[int]:
        """The slots whose counters are fresh. The common case, one run without a gap, is one update of the window."""
        if not slots:
            return slots
        first = counters[slots[0]]
        if all(counters[i] == first + k for k, i in enumerate(slots)) and lease.commit_run(first, len(slots)):
            return slots
        fresh = [i for i in slots if lease.commit(counters[i])]
        if len(fresh) < len(slots):
            self._device.drops[DropReason.REPLAYED] += len(slots) - len(fresh)
        return fresh

    def _deliver(self, lease: OpenLease, datagrams: Batch, slots: list[int], packets: list[memoryview]) -> None:
        """Cut the padding off (checklist 29) and let through what comes from the peer's own addresses (30)."""
        view, stride, lengths = datagrams.view, datagrams.stride, datagrams.lengths
        lookup, peer, drops, inspect = self._device.allowed_ips.lookup, lease.peer, self._device.drops, ip.inspect
        offset = datagrams.headroom + TRANSPORT_HEADER_BYTES
        for i in slots:
            length = lengths[i] - KEEPALIVE_BYTES
            if not length:
                continue
            start = i * stride + offset
            try:
                _, inner_source, _, total_length = inspect(view[start : start + length])
            except PacketDropped as drop:
                drops[drop.reason] += 1
                continue
            if lookup(inner_source) is peer:
                packets.append(view[start : start + total_length])
            else:
                drops[DropReason.WRONG_SOURCE] += 1
