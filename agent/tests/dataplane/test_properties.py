# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The fast path delivers what the plain path delivers, byte for byte and in order, whatever comes in.

Three receivers with the same keys get the same datagrams: one that joins packets, whose super-packets the reference
cuts again; one that does not; and the core, which takes one datagram at a time.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.inner_packets import Headers, edges_16, seeds, streams
from support.packets import ip_packet
from support.sealing_bench import SOURCE, Receiver, SealingBench, Slot, padded, sealed
from support.super_packets import UDP, Buffer, cut_written
from support.tunnels import LEFT, RIGHT
from wirefleet_agent.core.session import Session
from wirefleet_agent.dataplane import Packet
from wirefleet_agent.drops import DropReason
from wirefleet_agent.keys import PublicKey
from wirefleet_agent.wire.endpoint import Endpoint

pytestmark = pytest.mark.usefixtures("arithmetic")
ELSEWHERE = Endpoint("198.51.100.7", 7)


def delivered(packets: list[Packet]) -> list[bytes]:
    """What the host makes of it."""
    return [piece for packet in packets for piece in cut_written(packet)]


class Triplets:
    """See the module's docstring."""

    def __init__(self) -> None:
        self.joining, self.plain, self.core = (Receiver(has_offloads=on) for on in (True, False, False))
        self.sender = SealingBench()
        for each in (self.joining.bench, self.plain.bench, self.core.bench, self.sender):
            rekey(each)

    @property
    def sessions(self) -> tuple[Session, Session]:
        """The current one and the previous one."""
        slots = self.sender.peer.sessions
        assert slots.current is not None
        assert slots.previous is not None
        return slots.current, slots.previous

    def assert_same(self, slots: list[Slot]) -> list[bytes]:
        """What all three deliver."""
        joined = self.joining.open(slots)
        got = delivered(joined)
        plain = [bytes(packet) for packet in self.plain.open(slots) if not isinstance(packet, list)]
        assert got == plain
        assert got == self.core.open_one_by_one(slots)
        assert self.joining.account() == self.plain.account()
        assert self.joining.account()[:3] == self.core.account()[:3]
        self.joining.device.poll()
        self.plain.device.poll()
        return got


def rekey(bench: SealingBench) -> None:
    """A second session; the first one is still good for what is on its way."""
    bench.pair.run_for(6)
    bench.sender.start_handshake(bench.peer, bench.now)
    bench.pair.left.tunnel._pump.flush()
    bench.pair.turn()
    assert bench.peer.sessions.previous is not None


@pytest.fixture(scope="module")
def triplets(arithmetic: str) -> Iterator[Triplets]:
    made = Triplets()
    yield made
    for each in (made.joining.bench, made.plain.bench, made.core.bench, made.sender):
        each.close()


@dataclass
class Harm:
    """What a hostile or lossy underlay does to datagrams, each a share of them."""

    seed: int
    share: float
    kinds: tuple[str, ...]

    def apply(self, datagrams: list[bytes]) -> list[bytes]:
        chance = random.Random(self.seed)
        result: list[bytes] = []
        for datagram in datagrams:
            if not self.kinds or chance.random() >= self.share:
                result.append(datagram)
                continue
            kind = chance.choice(self.kinds)
            if kind == "lost":
                continue
            if kind == "doubled":
                result += [datagram, datagram]
            elif kind == "late":
                result.insert(max(0, len(result) - chance.randint(1, 5)), datagram)
            else:
                result.append(_harmed(datagram, kind, chance))
                if kind in ("garbage", "handshake", "keepalive forged") or chance.random() < 0.5:
                    result.append(datagram)
        return result


def _harmed(datagram: bytes, kind: str, chance: random.Random) -> bytes:
    data = bytearray(datagram)
    if kind == "bad tag":
        data[-1 - chance.randrange(16)] ^= 1 << chance.randrange(8)
    elif kind == "bad text":
        data[chance.randrange(16, len(data))] ^= 1 << chance.randrange(8)
    elif kind == "forged counter":
        data[8:16] = chance.choice([0, 1, 8000, 2**32, 2**63, 2**64 - 8193, 2**64 - 1]).to_bytes(8, "little")
    elif kind == "index":
        data[4 + chance.randrange(4)] ^= 1 << chance.randrange(8)
    elif kind == "reserved":
        data[1 + chance.randrange(3)] ^= 1 << chance.randrange(8)
    elif kind == "cut":
        del data[chance.randrange(len(data)) :]
    elif kind == "handshake":
        data[:4] = chance.choice([1, 2, 3]).to_bytes(4, "little")
    elif kind == "keepalive forged":
        data = bytearray(data[:16] + bytes(16))
    else:
        data = bytearray(chance.randbytes(len(data)))
    return bytes(data)


LOSSY = ("lost", "doubled", "late")
HOSTILE = (
    "bad tag",
    "bad text",
    "forged counter",
    "index",
    "reserved",
    "cut",
    "handshake",
    "keepalive forged",
    "garbage",
)
harms = st.builds(
    Harm,
    seeds,
    st.sampled_from([0.02, 0.1, 0.5]),
    st.sampled_from([(), LOSSY, HOSTILE, LOSSY + HOSTILE, *((kind,) for kind in LOSSY + HOSTILE)]),
)


def in_slots(datagrams: list[bytes], seed: int, sources: tuple[Endpoint, ...] = (SOURCE,)) -> list[Slot]:
    """As GRO joins them: those of one size that follow each other, up to a shorter one, here and there fewer."""
    chance = random.Random(seed)
    joins = chance.choice([0.0, 0.5, 0.9, 1.0])
    slots: list[Slot] = []
    is_open = False
    for datagram in datagrams:
        train = slots[-1][0] if slots else []
        if is_open and chance.random() < joins and 0 < len(datagram) <= len(train[0]) and len(train) < 64:
            train.append(datagram)
        else:
            slots.append(([datagram], chance.choice(sources)))
        is_open = len(slots[-1][0][0]) == len(datagram)
    return slots


@settings(max_examples=120, deadline=None, derandomize=True)
@given(packets=streams(), seed=seeds, harm=harms, data=st.data())
def test_all_three_deliver_the_same(
    triplets: Triplets, packets: list[bytes], seed: int, harm: Harm, data: st.DataObject
) -> None:  # checklist 27, 29, 30, 33
    sessions = triplets.sessions[: data.draw(st.sampled_from([1, 1, 2]))]
    chance = random.Random(seed)
    datagrams = [sealed(chance.choice(sessions), padded(packet)) for packet in packets]
    sources = data.draw(st.sampled_from([(SOURCE,), (SOURCE,), (SOURCE, ELSEWHERE)]))

    got = triplets.assert_same(in_slots(harm.apply(datagrams), seed, sources))

    if not harm.kinds:
        assert len(got) >= len(packets) - 8, "at most so many of them are harmed inside"


@settings(max_examples=40, deadline=None, derandomize=True)
@given(packets=streams(max_pieces=6), harm=harms)
def test_datagrams_that_come_alone_are_taken_the_same_way(
    triplets: Triplets, packets: list[bytes], harm: Harm
) -> None:  # checklist 27, 29, 30
    for datagram in harm.apply([sealed(triplets.sessions[0], padded(packet)) for packet in packets]):
        triplets.assert_same([([datagram], SOURCE)])


def test_a_replay_that_comes_alone_is_dropped(triplets: Triplets) -> None:  # checklist 27
    (packet,) = numbered(1)
    slots: list[Slot] = [([sealed(triplets.sessions[0], padded(packet))], SOURCE)]
    before = triplets.joining.device.drops[DropReason.REPLAYED]

    assert triplets.assert_same(slots) == [packet]
    assert triplets.assert_same(slots) == []
    assert triplets.joining.device.drops[DropReason.REPLAYED] == before + 1


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    packets=streams(max_pieces=8),
    behind=st.lists(st.integers(0, 40), min_size=1, max_size=4),
    cut=st.lists(st.integers(0, 60), max_size=2),
    seed=seeds,
)
def test_whatever_a_peer_seals_is_taken_the_same_way(
    triplets: Triplets, packets: list[bytes], behind: list[int], cut: list[int], seed: int
) -> None:  # checklist 29
    """A peer may pad as it likes, or send packets that lack their end, or no packets at all."""
    chance = random.Random(seed)
    session = triplets.sessions[0]
    texts = [packet + chance.randbytes(chance.choice(behind)) for packet in packets]
    for size in cut:
        texts.insert(chance.randint(0, len(texts)), chance.choice(packets)[:size])
    texts.insert(chance.randint(0, len(texts)), b"")

    triplets.assert_same(in_slots([sealed(session, text) for text in texts], seed))


def numbered(count: int, size: int = 100) -> list[bytes]:
    return [
        Headers(identification=number, sequence=1 + number * size).packet(bytes([number]) * size)
        for number in range(count)
    ]


@pytest.mark.parametrize("position", range(12))
@pytest.mark.parametrize("kind", ["bad tag", "forged counter", "index", "reserved", "handshake", "garbage"])
def test_one_bad_datagram_in_a_train_costs_nothing_but_itself(triplets: Triplets, position: int, kind: str) -> None:
    packets = numbered(12)
    datagrams = [sealed(triplets.sessions[0], padded(packet)) for packet in packets]
    datagrams[position] = _harmed(datagrams[position], kind, random.Random(position))

    got = triplets.assert_same([(datagrams, SOURCE)])

    assert got == packets[:position] + packets[position + 1 :]


@pytest.mark.parametrize("position", range(6))
def test_a_wrong_inner_source_in_a_train_costs_nothing_else(triplets: Triplets, position: int) -> None:
    packets = numbered(6)
    before = triplets.joining.device.drops[DropReason.WRONG_SOURCE]
    foreign = Headers(source="10.86.9.9", identification=position, sequence=1 + position * 100)
    wanted = packets[:position] + packets[position + 1 :]
    packets[position] = foreign.packet(bytes(100))

    got = triplets.assert_same([([sealed(triplets.sessions[0], padded(packet)) for packet in packets], SOURCE)])

    assert got == wanted
    assert triplets.joining.device.drops[DropReason.WRONG_SOURCE] == before + 1


def test_a_whole_train_from_a_wrong_source_is_counted_packet_by_packet(triplets: Triplets) -> None:
    for receiver in (triplets.joining, triplets.plain, triplets.core):
        other = receiver.device.add_peer(PublicKey(bytes([9]) + bytes(31)), receiver.bench.now)
        receiver.device.allowed_ips.insert(ipaddress.ip_network("10.86.9.9/32"), other)
    before = triplets.joining.device.drops[DropReason.WRONG_SOURCE]
    packets = [Headers(source="10.86.9.9", identification=k, sequence=1 + k * 100).packet(bytes(100)) for k in range(9)]

    assert triplets.assert_same([([sealed(triplets.sessions[0], padded(p)) for p in packets], SOURCE)]) == []
    assert triplets.joining.device.drops[DropReason.WRONG_SOURCE] == before + 9


@pytest.mark.parametrize("count", [127, 128, 129, 130, 256, 257, 500])
@pytest.mark.parametrize("last", [0, 1, 16, 31, 32, 33, 80])
def test_trains_longer_than_any_that_linux_makes_are_taken_too(triplets: Triplets, count: int, last: int) -> None:
    packets = [ip_packet(LEFT, RIGHT, number.to_bytes(2, "big") * 16) for number in range(count)]
    datagrams = [sealed(triplets.sessions[0], padded(packet)) for packet in packets]
    short = sealed(triplets.sessions[0], b"")[:last].ljust(last, b"\0")

    assert triplets.assert_same([([*datagrams, short] if last else datagrams, SOURCE)]) == packets


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    seed=seeds,
    length=st.integers(0, 3000) | st.sampled_from([65535, 65536]),
    size=edges_16 | st.integers(0, 200),
    kind=st.sampled_from([0, 1, 2, 3, 4, 4, 4]),
)
def test_trains_of_garbage_are_counted_and_nothing_else(
    triplets: Triplets, seed: int, length: int, size: int, kind: int
) -> None:
    chance = random.Random(seed)
    size = size or length or 1
    index = triplets.sessions[0].remote_index.to_bytes(4, "little")
    datagrams = []
    for begin in range(0, length, size):
        datagram = bytearray(chance.randbytes(min(size, length - begin)))
        datagram[:8] = (bytes([kind, 0, 0, 0]) + index)[: len(datagram)]
        datagrams.append(bytes(datagram))

    assert triplets.assert_same([(datagrams or [b""], SOURCE)]) == []


@pytest.mark.parametrize("seed", range(12))
def test_a_rekey_in_the_middle_of_a_train_loses_nothing(arithmetic: str, seed: int) -> None:  # checklist 11
    """The responder's new session is confirmed by a datagram amid those of the old one; the one before it is gone."""
    print("seed", seed)
    chance = random.Random(seed)
    made = Triplets()
    benches = (made.joining.bench, made.plain.bench, made.core.bench, made.sender)
    for bench in benches:
        bench.pair.run_for(6)
        bench.pair.underlay.filter = lambda _source, _destination, datagram: datagram[0] != 4
        bench.sender.start_handshake(bench.peer, bench.now)
        bench.pair.left.tunnel._pump.flush()
        bench.pair.turn()
        assert bench.pair.right.peer.sessions.next is not None
    current, previous = made.sessions
    packets = numbered(40)
    sessions = sorted(chance.choices([current, previous], k=40), key=lambda s: s is current)
    if seed % 2:
        chance.shuffle(sessions)
    datagrams = [sealed(session, padded(packet)) for session, packet in zip(sessions, packets, strict=True)]

    assert made.assert_same(in_slots(datagrams, seed)) == packets

    assert made.joining.bench.pair.right.peer.sessions.next is None
    for bench in benches:
        bench.close()


def test_of_a_peer_that_is_removed_nothing_is_taken(arithmetic: str) -> None:
    made = Triplets()
    packets = numbered(8)
    datagrams = [sealed(made.sessions[0], padded(packet)) for packet in packets]
    assert made.assert_same([(datagrams[:4], SOURCE)]) == packets[:4]

    for receiver in (made.joining, made.plain, made.core):
        (key,) = receiver.device.peers
        receiver.device.remove_peer(key, receiver.bench.now)
        drops = receiver.device.drops[DropReason.UNKNOWN_INDEX]
        slots = [(datagrams[4:], SOURCE)]
        got = receiver.open_one_by_one(slots) if receiver is made.core else receiver.open(slots)
        assert got == []
        assert receiver.device.drops[DropReason.UNKNOWN_INDEX] == drops + 4


def borrowed(packets: list[Packet]) -> list[Buffer]:
    return [buffer for packet in packets for buffer in (packet if isinstance(packet, list) else [packet])]


def test_bulk_traffic_leaves_in_few_writes(triplets: Triplets) -> None:
    packets = numbered(40, 1200)
    slots: list[Slot] = [([sealed(triplets.sessions[0], padded(packet)) for packet in packets], SOURCE)]

    joined = triplets.joining.open(slots)

    assert delivered(joined) == packets
    assert len(joined) == 1
    assert len(borrowed(joined)) == 2 + len(packets)
    triplets.plain.open(slots)
    triplets.core.open_one_by_one(slots)


def test_a_kernel_that_does_not_cut_udp_gets_it_whole(arithmetic: str) -> None:
    receiver = Receiver(has_offloads=True, joins_udp=False)
    sender = SealingBench()
    udp = [Headers(protocol=UDP, identification=k).packet(bytes(100)) for k in range(9)]
    tcp = numbered(9)

    for packets, writes in ((udp, 9), (tcp, 1)):
        written = receiver.open([([sealed(sender.session, padded(packet)) for packet in packets], SOURCE)])
        assert delivered(written) == packets
        assert len(written) == writes
