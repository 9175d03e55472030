# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A data plane between two devices of a tunnel pair, with everything that goes in and out in the test's hands."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from support.inner_packets import SuperPacket
from support.packets import ip_packet
from support.tunnels import LEFT, PORT, RIGHT, TunnelPair
from wirefleet_agent.core import DeliverPacket, Peer, SendDatagram
from wirefleet_agent.core.session import Session
from wirefleet_agent.dataplane import Inbound, Outbound, Packet, packet_batch
from wirefleet_agent.wire import pack_nonce, pack_transport_header
from wirefleet_agent.wire.batch import Batch
from wirefleet_agent.wire.endpoint import Endpoint, LocalAddress

SOURCE = Endpoint("192.0.2.1", PORT)
LOCAL = LocalAddress("192.0.2.2", 1)
MTU = 1420
OVERHEAD = 32
HEADROOM = 16
_SLOT_BYTES = 65536


def padding_of(length: int, mtu_bytes: int = MTU) -> int:
    """Checklist 28: up to a multiple of 16, not beyond the MTU; what is longer counts by its last MTU-sized piece."""
    if length > mtu_bytes:
        length %= mtu_bytes
    return min(-length % 16, mtu_bytes - length)


class SealingBench:
    """left seals, right opens. With the same seed two benches have the same keys."""

    def __init__(self, *, has_session: bool = True, capacity: int = 8, mtu_bytes: int = MTU) -> None:
        self.pair = TunnelPair()
        if has_session:
            self.pair.left.tun.inject(ip_packet(LEFT, RIGHT, b"handshake"))
            self.pair.turn()
        self.sender, self.receiver = self.pair.left.device, self.pair.right.device
        self.sender.mtu_bytes = mtu_bytes
        self.mtu_bytes = mtu_bytes
        self.outbound = Outbound(self.sender, mtu_bytes, has_offloads=True)
        self.packets = packet_batch(capacity, mtu_bytes, has_offloads=True)

    def close(self) -> None:
        self.pair.close()

    @property
    def now(self) -> float:
        return self.pair.clock.now

    @property
    def peer(self) -> Peer:
        return self.pair.left.peer

    @property
    def session(self) -> Session:
        session = self.peer.sessions.current
        assert session is not None
        return session

    def allow_everything(self) -> None:
        """Every destination is the peer's, so that nothing is lost for want of a route."""
        for prefix in ("0.0.0.0/0", "::/0"):
            self.sender.allowed_ips.insert(ipaddress.ip_network(prefix), self.peer)

    def load(self, packets: Iterable[SuperPacket]) -> None:
        """Put them where a TUN driver puts them."""
        batch = self.packets
        batch.clear()
        for packet in packets:
            start = batch.count * batch.stride + batch.headroom
            batch.append(packet.packet)
            batch.buffer[start - 10 : start] = packet.offload.pack()

    def outputs(self) -> list[bytes]:
        """The core's datagrams."""
        return [output.datagram for output in self.sender.poll() if isinstance(output, SendDatagram)]

    def send(self, *packets: SuperPacket) -> list[bytes]:
        """All that leaves, in the order in which the pump sends it."""
        self.load(packets)
        sent: list[bytes] = []
        for batch in self.outbound.process(self.packets, self.now):
            sent += self.outputs()
            sent += [bytes(batch.slot(i)) for i in range(batch.count)]
        return sent + self.outputs()

    def opened(self, datagrams: Iterable[bytes]) -> list[tuple[int, bytes]]:
        """(counter, plaintext with its padding) of data messages, by the AEAD alone."""
        session = self.pair.right.peer.sessions.current
        assert session is not None
        texts = []
        for datagram in datagrams:
            assert datagram[:4] == b"\4\0\0\0"
            assert datagram[4:8] == session.local_index.to_bytes(4, "little")
            text = session.open_lease.aead.decrypt(bytes(4) + datagram[8:16], datagram[16:], None)
            texts.append((int.from_bytes(datagram[8:16], "little"), text))
        return texts

    def expected(self, first_counter: int, packets: Sequence[bytes]) -> list[tuple[int, bytes]]:
        return [
            (first_counter + k, packet + bytes(padding_of(len(packet), self.mtu_bytes)))
            for k, packet in enumerate(packets)
        ]


def sealed(session: Session, plaintext: bytes, counter: int | None = None) -> bytes:
    """A datagram around anything, under the next counter or one that is told."""
    if counter is None:
        counter = session.send_counter
        session.send_counter += 1
    header = pack_transport_header(session.remote_index, counter)
    return header + session.send_aead.encrypt(pack_nonce(counter), plaintext, None)


def padded(packet: bytes) -> bytes:
    return packet + bytes(padding_of(len(packet)))


Slot = tuple[list[bytes], Endpoint]
"""Datagrams that came in one piece, all of one size but a shorter last one; and from where."""


def received_batch(slots: Sequence[Slot]) -> Batch:
    """As a UDP driver fills it; slots of one datagram have no segment size."""
    batch = Batch(max(1, len(slots)), _SLOT_BYTES)
    for datagrams, source in slots:
        batch.append(b"".join(datagrams), source, LOCAL)
        if len(datagrams) > 1:
            batch.segment_sizes[batch.count - 1] = len(datagrams[0])
    return batch


class Receiver:
    """One end that opens batches; several of them see the same and can be compared."""

    def __init__(self, *, has_offloads: bool, joins_udp: bool = True) -> None:
        self.bench = SealingBench()
        self.device = self.bench.receiver
        self.peer = self.bench.pair.right.peer
        self._inbound = Inbound(self.device, has_offloads=has_offloads, joins_udp=joins_udp)

    def open(self, slots: Sequence[Slot]) -> list[Packet]:
        return self._inbound.process(received_batch(slots), self.bench.now)

    def open_one_by_one(self, slots: Sequence[Slot]) -> list[bytes]:
        """By the core, without the data plane."""
        packets = []
        for datagrams, source in slots:
            for datagram in datagrams:
                self.device.receive_datagram(datagram, source, LOCAL, self.bench.now)
                packets += [bytes(output.packet) for output in self.device.poll() if isinstance(output, DeliverPacket)]
        return packets

    def account(self) -> tuple[object, ...]:
        """What it has counted and learned."""
        peer = self.peer
        return peer.rx_bytes, peer.rx_datagrams, peer.endpoint, dict(self.device.drops)
