# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Batches through the data plane: sealed by one device, opened by another."""

from __future__ import annotations

import ipaddress
import random
from collections import Counter

import pytest
from support.packets import ip_packet
from support.tunnels import LEFT, LEFT6, PORT, RIGHT, RIGHT6, TunnelPair
from wirefleet_agent.core import SendDatagram
from wirefleet_agent.dataplane import Inbound, Outbound, packet_batch
from wirefleet_agent.drops import DropReason
from wirefleet_agent.keys import PublicKey
from wirefleet_agent.wire import pack_nonce, pack_transport_header
from wirefleet_agent.wire.batch import Batch
from wirefleet_agent.wire.endpoint import Endpoint, LocalAddress

SOURCE = Endpoint("192.0.2.1", PORT)
LOCAL = LocalAddress("192.0.2.2", 1)
MTU = 1420


class Bench:
    """A device that seals and one that opens, with a session between them; nothing else moves."""

    def __init__(self) -> None:
        self.pair = TunnelPair()
        self.pair.left.tun.inject(ip_packet(LEFT, RIGHT, b"handshake"))
        self.pair.turn()
        self.sender, self.receiver = self.pair.left.device, self.pair.right.device
        self.now = self.pair.clock.now
        self.outbound, self.inbound = Outbound(self.sender, MTU), Inbound(self.receiver)
        self.packets = packet_batch(64, MTU)

    def seal(self, *packets: bytes) -> list[bytes]:
        """The datagrams, those without an endpoint left out."""
        self.packets.clear()
        for packet in packets:
            self.packets.append(packet)
        return [
            bytes(datagrams.slot(i))
            for datagrams in self.outbound.process(self.packets, self.now)
            for i in range(datagrams.count)
        ]

    def seal_as_it_is(self, plaintext: bytes) -> bytes:
        """A datagram around anything, as only a broken or malicious peer makes it."""
        lease = self.sender.lease_seal(self.pair.left.peer, 1, self.now)
        assert lease is not None
        header = pack_transport_header(lease.receiver_index, lease.first_counter)
        return header + lease.aead.encrypt(pack_nonce(lease.first_counter), plaintext, None)

    def open(self, *datagrams: bytes, source: Endpoint = SOURCE) -> list[bytes]:
        batch = Batch(max(1, len(datagrams)), 65536)
        for datagram in datagrams:
            batch.append(datagram, source, LOCAL)
        packets = self.inbound.process(batch, self.now)
        assert not any(isinstance(packet, list) for packet in packets)
        return [bytes(packet) for packet in packets if not isinstance(packet, list)]

    @property
    def drops(self) -> Counter[DropReason]:
        return self.receiver.drops


@pytest.fixture
def bench() -> Bench:
    return Bench()


def numbered(count: int, size: int = 100) -> list[bytes]:
    return [ip_packet(LEFT, RIGHT, bytes([number]) * size) for number in range(count)]


@pytest.mark.parametrize("size", [0, 1, 11, 12, 13, 100, 1379, 1380, 1390, 1399, 1400])
@pytest.mark.parametrize("ends", [(LEFT, RIGHT), (LEFT6, RIGHT6)], ids=["v4", "v6"])
def test_what_is_sealed_is_opened(bench: Bench, ends: tuple[str, str], size: int) -> None:
    packet = ip_packet(*ends, bytes(range(256)) * 6)[: (20 if ends[0] == LEFT else 40) + size]
    packet = ip_packet(*ends, packet[20 if ends[0] == LEFT else 40 :])

    assert bench.open(*bench.seal(packet)) == [packet]


@pytest.mark.parametrize(("size", "padded"), [(20, 32), (32, 32), (33, 48), (1408, 1408), (1409, 1420), (1420, 1420)])
def test_padding_is_to_sixteen_but_not_beyond_the_mtu(bench: Bench, size: int, padded: int) -> None:  # checklist 28
    (datagram,) = bench.seal(ip_packet(LEFT, RIGHT, bytes(size - 20)))

    assert len(datagram) == padded + 32


def test_padding_is_zero_whatever_the_buffer_held_before(bench: Bench) -> None:  # checklist 28
    bench.seal(ip_packet(LEFT, RIGHT, b"\xff" * 1400))
    (datagram,) = bench.seal(ip_packet(LEFT, RIGHT, b"x"))
    session = bench.receiver.peers[bench.sender.public_key].sessions.current  # type: ignore[index]
    assert session is not None

    plaintext = session.open_lease.aead.decrypt(bytes(4) + datagram[8:16], datagram[16:], None)

    assert plaintext[21:] == bytes(11)


def test_counters_rise_by_one_in_the_order_of_the_packets(bench: Bench) -> None:  # checklist 31
    datagrams = bench.seal(*numbered(20))

    counters = [int.from_bytes(datagram[8:16], "little") for datagram in datagrams]

    assert counters == list(range(counters[0], counters[0] + 20))


def test_packets_of_several_peers_go_each_to_its_own(bench: Bench) -> None:
    stranger = bench.sender.add_peer(PublicKey(bytes([9]) + bytes(31)), bench.now)
    bench.sender.set_endpoint(stranger, Endpoint("192.0.2.9", 9), bench.now)
    bench.sender.allowed_ips.insert(ipaddress.ip_network("10.9.9.9/32"), stranger)
    mine, theirs = numbered(2), ip_packet(LEFT, "10.9.9.9", b"no session yet")

    datagrams = bench.seal(mine[0], theirs, mine[1])

    assert bench.open(*datagrams) == mine
    assert stranger.staged_packets == 1
    (output,) = bench.sender.poll()
    assert isinstance(output, SendDatagram)
    assert output.peer is stranger


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (ip_packet(LEFT, "203.0.113.1", b""), DropReason.NO_ROUTE_TO_PEER),
        (b"\x45" + bytes(10), DropReason.BAD_PACKET_LENGTH),
        (b"\x60" + bytes(30), DropReason.BAD_PACKET_LENGTH),
        (b"\x50" + bytes(60), DropReason.BAD_PACKET_VERSION),
        (ip_packet(LEFT, RIGHT, bytes(3000))[:2048], DropReason.BAD_PACKET_LENGTH),
    ],
    ids=["no-route", "short-v4", "short-v6", "version", "cut"],
)
def test_a_packet_that_cannot_be_sent_is_counted_and_the_others_go(
    bench: Bench, packet: bytes, reason: DropReason
) -> None:
    good = numbered(2)

    datagrams = bench.seal(good[0], packet, good[1])

    assert bench.open(*datagrams) == good
    assert bench.sender.drops == {reason: 1}


@pytest.mark.parametrize("position", range(8))
def test_one_bad_tag_does_not_disturb_the_rest(bench: Bench, position: int) -> None:  # checklist 27
    packets = numbered(8)
    datagrams = bench.seal(*packets)
    broken = bytearray(datagrams[position])
    broken[-1] ^= 1
    datagrams[position] = bytes(broken)

    assert bench.open(*datagrams) == packets[:position] + packets[position + 1 :]
    assert bench.drops == {DropReason.BAD_TAG: 1}


def test_a_forged_counter_does_not_move_the_window(bench: Bench) -> None:  # checklist 27
    packets = numbered(3)
    datagrams = bench.seal(*packets)
    forged = datagrams[0][:8] + (2**40).to_bytes(8, "little") + datagrams[0][16:]

    assert bench.open(forged, *datagrams) == packets
    assert bench.drops == {DropReason.BAD_TAG: 1}


def test_a_duplicate_is_dropped_within_a_batch_and_across_batches(bench: Bench) -> None:  # checklist 27
    packets = numbered(4)
    datagrams = bench.seal(*packets)

    assert bench.open(datagrams[0], datagrams[1], datagrams[1], datagrams[2]) == packets[:3]
    assert bench.open(*datagrams) == packets[3:]
    assert bench.drops == {DropReason.REPLAYED: 4}


def test_any_order_is_accepted(bench: Bench) -> None:
    packets = numbered(40)
    datagrams = list(zip(packets, bench.seal(*packets), strict=True))
    random.Random(7).shuffle(datagrams)

    opened = bench.open(*(datagram for _, datagram in datagrams))

    assert opened == [packet for packet, _ in datagrams]
    assert not bench.drops


def test_a_packet_from_a_source_that_is_not_the_peers_is_dropped_but_counts_as_its_life(bench: Bench) -> None:
    # checklist 30, 33
    elsewhere = Endpoint("198.51.100.7", 7)
    spoofed = ip_packet("10.86.0.99", RIGHT, b"spoofed")

    assert bench.open(*bench.seal(spoofed), source=elsewhere) == []

    assert bench.drops == {DropReason.WRONG_SOURCE: 1}
    assert bench.pair.right.peer.endpoint == elsewhere


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        (slice(0, 1), b"\x55", DropReason.BAD_PACKET_VERSION),
        (slice(2, 4), (4000).to_bytes(2, "big"), DropReason.BAD_PACKET_LENGTH),
        (slice(2, 4), (19).to_bytes(2, "big"), DropReason.BAD_PACKET_LENGTH),
        (slice(10, None), b"", DropReason.BAD_PACKET_LENGTH),
    ],
)
def test_an_inner_packet_with_a_bad_header_is_dropped_alone(
    bench: Bench, field: slice, value: bytes, reason: DropReason
) -> None:  # checklist 29
    packets = numbered(3)
    broken = bytearray(packets[1])
    broken[field] = value

    first, last = bench.seal(packets[0], packets[2])
    assert bench.open(first, bench.seal_as_it_is(bytes(broken)), last) == [packets[0], packets[2]]
    assert bench.drops == {reason: 1}


def test_an_unknown_index_is_counted_for_every_datagram(bench: Bench) -> None:
    datagrams = [datagram[:4] + b"\xff\xff\xff\xff" + datagram[8:] for datagram in bench.seal(*numbered(5))]

    assert bench.open(*datagrams) == []
    assert bench.drops == {DropReason.UNKNOWN_INDEX: 5}


def test_handshake_messages_and_garbage_between_data_go_to_the_core(bench: Bench) -> None:
    packets = numbered(2)
    datagrams = bench.seal(*packets)

    opened = bench.open(datagrams[0], b"", b"\x04\0\0\0", b"\x01\0\0\0" + bytes(144), b"\x63" * 40, datagrams[1])
    bench.receiver.poll()

    assert opened == packets
    assert bench.drops == {
        DropReason.MALFORMED_MESSAGE: 2,
        DropReason.UNKNOWN_MESSAGE_TYPE: 1,
        DropReason.BAD_MAC1: 1,
    }


@pytest.mark.parametrize("bit", range(0, 16 * 8, 5))
def test_every_flipped_bit_of_a_header_is_survived(bench: Bench, bit: int) -> None:
    packets = numbered(2)
    first, second = bench.seal(*packets)
    broken = bytearray(first)
    broken[bit // 8] ^= 1 << bit % 8

    assert bench.open(bytes(broken), second) == packets[1:]


def test_every_truncation_is_survived(bench: Bench) -> None:
    packets = numbered(2, size=30)
    first, second = bench.seal(*packets)

    for size in range(len(first)):
        assert bench.open(first[:size]) == []

    assert bench.open(first, second) == packets


def test_bytes_and_datagrams_are_accounted_as_on_the_wire(bench: Bench) -> None:
    before = bench.pair.left.peer.tx_bytes, bench.pair.right.peer.rx_bytes

    datagrams = bench.seal(*numbered(10))
    bench.open(*datagrams)

    size = sum(map(len, datagrams))
    assert bench.pair.left.peer.tx_bytes - before[0] == size
    assert bench.pair.right.peer.rx_bytes - before[1] == size


def test_an_expired_session_stages_instead_of_sealing(bench: Bench) -> None:  # checklist 14
    bench.now += 181

    assert bench.seal(*numbered(3)) == []
    assert bench.pair.left.peer.staged_packets == 3
