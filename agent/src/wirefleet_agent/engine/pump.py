# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Moves packets: TUN -> dataplane -> UDP and back, and the core's outputs and deadlines.

Work per turn of the loop is bounded, so that timers, control requests and the other direction get their turn.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ..core import DeliverPacket, Device, HandshakeCompleted, HandshakeGaveUp, SendDatagram
from ..dataplane import Inbound, Outbound, packet_batch
from ..drivers.interfaces import TunDriver, UdpDriver
from ..drops import DropReason
from ..errors import DriverError
from ..wire.batch import Batch
from .loop import Handle, Loop

BATCH_PACKETS = 64
BATCH_SUPER_PACKETS = 32
BATCHES_PER_TURN = 4
_MAX_DATAGRAM_BYTES = 65536
_OUTPUT_BATCH = 4
# What comes after a silence of this length mostly comes alone: looking in vain for more would only delay its answer.
# If there is more, the descriptor stays readable, and the next turn takes it in batches.
_IDLE_S = 0.0005

HandshakeEvent = HandshakeCompleted | HandshakeGaveUp


class Pump:
    """Owns the buffers of one tunnel. The tunnel registers the descriptors and calls in."""

    def __init__(
        self,
        loop: Loop,
        device: Device,
        tun: TunDriver,
        udp: UdpDriver,
        on_event: Callable[[HandshakeEvent], None],
        on_gone: Callable[[DriverError], None],
    ) -> None:
        self._loop = loop
        self._now = loop.now
        self._device = device
        self._tun = tun
        self._udp = udp
        self._on_event = on_event
        self._on_gone = on_gone
        # Linux before 6.2 takes no super-packets of UDP: writing one fails, and all that is in it would be lost.
        self._inbound = Inbound(device, has_offloads=tun.has_offloads, joins_udp="uso4" in tun.offloads)
        # A look for more costs one call there. On Windows it takes a lock and wakes a thread.
        self._looks_are_cheap = tun.has_offloads
        self._capacity = BATCH_SUPER_PACKETS if tun.has_offloads else BATCH_PACKETS
        # Then the first packet is on its way before others are looked for.
        self._first_batch = 1 if self._looks_are_cheap else self._capacity
        self._turns = BATCHES_PER_TURN + self._looks_are_cheap
        self._idle_s = _IDLE_S if self._looks_are_cheap else math.inf
        self._received = Batch(self._capacity, _MAX_DATAGRAM_BYTES)
        self._outputs = Batch(_OUTPUT_BATCH, 2 * _MAX_DATAGRAM_BYTES)
        self._timer: Handle | None = None
        self._tun_read_at = self._udp_read_at = -math.inf
        self._are_answers_expected = self._looks_are_cheap
        self.set_mtu(tun.mtu_bytes)

    def set_mtu(self, mtu_bytes: int) -> None:
        """Make buffers for packets of this size and pad up to it."""
        self._device.mtu_bytes = mtu_bytes
        has_offloads = self._tun.has_offloads
        self._packets = packet_batch(self._capacity, mtu_bytes, has_offloads=has_offloads)
        self._outbound = Outbound(self._device, mtu_bytes, has_offloads=has_offloads)

    def read_tun(self) -> None:
        """Packets of the host. ``on_gone`` is called when the interface is gone."""
        now = self._now()
        if now - self._udp_read_at < _IDLE_S:
            self._are_answers_expected = self._looks_are_cheap
        self._read_tun(now)

    def _read_tun(self, now: float) -> bool:
        """Whether there was something."""
        has_read = False
        packets, device = self._packets, self._device
        packets.limit = self._first_batch
        turns = 1 if now - self._tun_read_at >= self._idle_s else self._turns
        self._tun_read_at = now
        for _ in range(turns):
            try:
                if not self._tun.read_batch(packets):
                    break
            except DriverError as error:
                self._on_gone(error)
                return True
            has_read = True
            for datagrams in self._outbound.process(packets, now):
                if device.has_outputs:  # older data of the same peers
                    self._drain_outputs()
                if lost := datagrams.count - self._udp.send_batch(datagrams):
                    device.drops[DropReason.UDP_SEND_FAILED] += lost
            if device.has_news:
                self.flush()
            if packets.count < packets.limit and not packets.has_more:
                break
            packets.limit = packets.capacity
        return has_read

    def read_udp(self, fileno: int) -> None:
        """Datagrams of the underlay, and what the host answers to them at once.

        Answers of the host's kernel (echoes, acknowledgements) are there when the write returns. Where the last look
        for them was in vain, none is made until a packet of the host follows one of the underlay closely.
        """
        now = self._now()
        has_delivered = False
        received = self._received
        received.limit = self._first_batch
        turns = 1 if now - self._udp_read_at >= self._idle_s else self._turns
        self._udp_read_at = now
        for _ in range(turns):
            if not self._udp.receive_batch(fileno, received):
                break
            packets = self._inbound.process(received, now)
            if packets:
                has_delivered = True
                if lost := len(packets) - self._tun.write_packets(packets):
                    self._device.drops[DropReason.TUN_WRITE_FAILED] += lost
            if self._device.has_news:
                self.flush()
            if received.count < received.limit and not received.has_more:
                break
            received.limit = received.capacity
        if has_delivered and self._are_answers_expected:
            self._are_answers_expected = self._read_tun(now)

    def flush(self) -> None:
        """Send and deliver what the core has, and wait for its next deadline."""
        self._drain_outputs()
        self._schedule()

    def stop(self) -> None:
        """No timer fires any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _advance(self) -> None:
        self._timer = None
        self._device.advance(self._now())
        self.flush()

    def _schedule(self) -> None:
        """An earlier wake-up stays: the core takes it as a question that it answers with nothing to do."""
        deadline = self._device.next_deadline()
        if deadline is None or (self._timer is not None and self._timer.when <= deadline):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._advance)

    def _drain_outputs(self) -> None:
        batch = self._outputs
        for output in self._device.poll():
            if isinstance(output, SendDatagram):
                batch.append(output.datagram, output.endpoint, output.local)
                if batch.count == batch.capacity:
                    self._send_outputs()
            elif isinstance(output, DeliverPacket):
                if not self._tun.write_packets((output.packet,)):
                    self._device.drops[DropReason.TUN_WRITE_FAILED] += 1
            else:
                self._on_event(output)
        if batch.count:
            self._send_outputs()

    def _send_outputs(self) -> None:
        if lost := self._outputs.count - self._udp.send_batch(self._outputs):
            self._device.drops[DropReason.UDP_SEND_FAILED] += lost
        self._outputs.clear()
