# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""From super-packets to datagrams: what a receiver opens is what the reference cuts, in order and padded."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.inner_packets import Headers, SuperPacket, edges_16, incomplete_packets, random_bytes, seeds, super_packets
from support.sealing_bench import OVERHEAD, SOURCE, SealingBench, padding_of
from support.super_packets import NEEDS_CSUM, Offload
from support.tunnels import LEFT
from wirefleet_agent.core import DeliverPacket, SendDatagram
from wirefleet_agent.core.constants import REJECT_AFTER_MESSAGES, STAGED_PACKETS
from wirefleet_agent.drops import DropReason

pytestmark = pytest.mark.usefixtures("arithmetic")
traffic = st.lists(super_packets(max_pieces=50) | incomplete_packets(), min_size=1, max_size=6)
few_big = st.lists(super_packets(max_pieces=60, sizes=st.sampled_from([1380, 1368, 1420, 16])), min_size=1, max_size=3)


@pytest.fixture(scope="module")
def shared(arithmetic: str) -> SealingBench:
    return SealingBench()


@pytest.fixture(scope="module")
def open_to_all(arithmetic: str) -> SealingBench:
    """Whatever the destination, its peer is the one; so what nobody checked is sealed."""
    bench = SealingBench()
    bench.allow_everything()
    return bench


def reference(packets: list[SuperPacket]) -> list[bytes]:
    return [piece for packet in packets for piece in packet.pieces]


def offloaded(payload_bytes: int, size: int = 1380, **fields: int) -> SuperPacket:
    return SuperPacket(Offload(NEEDS_CSUM, 1, 0, size, 20, 16), Headers(**fields).packet(bytes(payload_bytes)))  # type: ignore[arg-type]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(packets=traffic)
def test_what_is_opened_is_what_the_reference_cuts(shared: SealingBench, packets: list[SuperPacket]) -> None:
    # checklist 28, 31
    first, before = (
        shared.session.send_counter,
        shared.peer.tx_bytes,
    )
    drops = sum(shared.sender.drops.values())

    sent = shared.send(*packets)

    assert shared.opened(sent) == shared.expected(first, reference(packets))
    assert shared.peer.tx_bytes - before == sum(map(len, sent))
    assert sum(shared.sender.drops.values()) == drops


@settings(max_examples=30, deadline=None, derandomize=True)
@given(packets=few_big, mtu_bytes=st.sampled_from([1280, 1281, 1380, 1412, 1428, 1500, 9000]))
def test_it_is_so_for_any_mtu(packets: list[SuperPacket], mtu_bytes: int) -> None:  # checklist 28
    bench = SealingBench(mtu_bytes=mtu_bytes)
    first = bench.session.send_counter

    sent = bench.send(*packets)

    assert bench.opened(sent) == bench.expected(first, reference(packets))
    bench.close()


def test_more_pieces_than_a_batch_holds_follow_in_the_next_ones(shared: SealingBench) -> None:
    packets = [offloaded(700, 3, flags=0xFF), offloaded(60000, flags=0xFF), offloaded(1000, 1, flags=0xFF)]
    first = shared.session.send_counter

    assert shared.opened(shared.send(*packets)) == shared.expected(first, reference(packets))


@settings(max_examples=15, deadline=None, derandomize=True)
@given(packets=few_big)
def test_without_a_session_the_pieces_wait_and_leave_in_order(packets: list[SuperPacket]) -> None:  # checklist 31
    bench = SealingBench(has_session=False)
    delivered = bench.pair.right.tun.delivered
    wanted = reference(packets)

    initiation = bench.send(*packets)
    assert [len(datagram) for datagram in initiation] == [148]
    assert bench.peer.staged_packets == min(len(wanted), STAGED_PACKETS)
    bench.pair.clock.now += 6
    bench.pair.turn()
    bench.sender.advance(bench.now)
    bench.pair.left.tunnel._pump.flush()
    bench.pair.turn()

    assert delivered == wanted[-STAGED_PACKETS:]
    assert bench.sender.drops[DropReason.STAGED_OVERFLOW] == max(0, len(wanted) - STAGED_PACKETS)
    bench.close()


@settings(max_examples=25, deadline=None, derandomize=True)
@given(packets=few_big, plain=st.integers(0, 2), data=st.data())
def test_a_session_that_ends_in_the_middle_loses_nothing_and_keeps_the_order(
    packets: list[SuperPacket], plain: int, data: st.DataObject
) -> None:  # checklist 14, 31
    bench = SealingBench()
    small = [SuperPacket(Offload(), Headers().packet(bytes([number]) * 9)) for number in range(plain)]
    packets = [*small, *packets, *small]
    wanted = reference(packets)
    left = data.draw(st.integers(0, len(wanted)) | st.integers(max(0, len(wanted) - 3), len(wanted)))
    bench.session.send_counter = REJECT_AFTER_MESSAGES - left

    sent = bench.send(*packets)

    data_messages = [datagram for datagram in sent if datagram[0] == 4]
    assert bench.opened(data_messages) == bench.expected(REJECT_AFTER_MESSAGES - left, wanted[:left])
    assert bench.peer.staged_packets == min(STAGED_PACKETS, len(wanted) - left)
    bench.close()


def test_pieces_for_nobody_and_for_a_peer_without_an_endpoint_are_counted(shared: SealingBench) -> None:
    before = dict(shared.sender.drops)
    lost = offloaded(3000, 1000, destination="203.0.113.1")  # type: ignore[arg-type]
    good = offloaded(3000, 1000)
    first = shared.session.send_counter

    sent = shared.send(good, lost, good)

    assert shared.opened(sent) == shared.expected(first, reference([good, good]))
    assert shared.sender.drops[DropReason.NO_ROUTE_TO_PEER] == before.get(DropReason.NO_ROUTE_TO_PEER, 0) + 3


def test_a_peer_removed_between_two_batches_takes_only_its_own_pieces_along() -> None:
    bench = SealingBench()
    packets = [offloaded(500, 2)]
    wanted = reference(packets)
    first = bench.session.send_counter
    right = bench.pair.right.device.public_key
    assert right is not None
    bench.load(packets)

    sent: list[bytes] = []
    for batch in bench.outbound.process(bench.packets, bench.now):
        sent += [bytes(batch.slot(i)) for i in range(batch.count)]
        if not bench.sender.drops and right in bench.sender.peers:
            bench.sender.remove_peer(right, bench.now)

    assert bench.opened(sent) == bench.expected(first, wanted[: len(sent)])
    assert 0 < len(sent) < len(wanted)
    assert bench.sender.drops == {DropReason.NO_ROUTE_TO_PEER: len(wanted) - len(sent)}
    bench.close()


hostile_offloads = st.builds(Offload, *(st.integers(0, 255),) * 2, *(edges_16,) * 4) | st.builds(
    Offload,
    st.sampled_from([0, 1]),
    st.sampled_from([0, 1, 4, 5, 0x80, 0x81]),
    edges_16,
    st.integers(0, 1500),
    st.sampled_from([0, 19, 20, 40, 60]),
    st.sampled_from([0, 2, 6, 16, 30]),
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    offload=hostile_offloads,
    seed=seeds,
    size=st.integers(0, 200) | st.sampled_from([1400, 1420, 2048, 2049, 65535, 65536, 65552]),
    first=st.sampled_from(b"\x45\x46\x4f\x60\0\xff"),
    position=st.integers(0, 2),
)
def test_a_nonsensical_offload_header_harms_only_its_own_packet(
    open_to_all: SealingBench, offload: Offload, seed: int, size: int, first: int, position: int
) -> None:
    good = [offloaded(3000, 1000), SuperPacket(Offload(), Headers().packet(b"plain"))]
    packet = bytearray(random_bytes(seed, size))
    packet[:1] = bytes([first])[: len(packet)]
    mixed = [*good[:position], SuperPacket(offload, bytes(packet)), *good[position:]]
    packets = [SuperPacket(Offload(), b"")] * 5 + mixed  # the nonsense may lie in the last slot

    texts = [text for _, text in open_to_all.opened(d for d in open_to_all.send(*packets) if d[0] == 4)]

    for piece in reference(good):
        assert piece + bytes(padding_of(len(piece))) in texts


@settings(max_examples=60, deadline=None, derandomize=True)
@given(packet=super_packets(max_pieces=3), data=st.data())
def test_a_damaged_super_packet_never_stops_the_others(
    open_to_all: SealingBench, packet: SuperPacket, data: st.DataObject
) -> None:
    damaged = bytearray(packet.packet)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, min(60, len(damaged) - 1)))] = data.draw(st.integers(0, 255))
    good = offloaded(3000, 1000)

    sent = open_to_all.send(good, SuperPacket(packet.offload, bytes(damaged)), good)

    texts = [text for _, text in open_to_all.opened(sent)]
    whole = [piece + bytes(padding_of(len(piece))) for piece in good.pieces]
    assert texts[:3] == texts[-3:] == whole


def test_only_what_is_sent_counts_and_each_datagram_with_its_header(shared: SealingBench) -> None:
    before = shared.peer.tx_datagrams, shared.peer.tx_bytes
    packet = offloaded(4000, 1000, source=LEFT)  # type: ignore[arg-type]

    sent = shared.send(packet)

    assert shared.peer.tx_datagrams - before[0] == 4
    assert shared.peer.tx_bytes - before[1] == sum(OVERHEAD + len(p) + padding_of(len(p)) for p in packet.pieces)
    assert [len(each) for each in sent] == [OVERHEAD + len(p) + padding_of(len(p)) for p in packet.pieces]


def test_an_expired_session_stages_every_piece(shared: SealingBench) -> None:  # checklist 14
    bench = SealingBench()
    bench.pair.clock.now += 181
    packet = offloaded(4000, 1000)

    sent = bench.send(packet)

    assert [datagram[0] for datagram in sent] == [1]
    assert bench.peer.staged_packets == 4
    assert not [output for output in bench.sender.poll() if isinstance(output, SendDatagram)]
    bench.close()


@pytest.mark.parametrize("size", [65520, 65535, 65536, 65537, 65545, 65552])
def test_a_packet_that_fills_its_slot_to_the_end_of_the_buffer_harms_nobody(
    open_to_all: SealingBench, size: int
) -> None:
    good = offloaded(3000, 1000)
    full = SuperPacket(Offload(NEEDS_CSUM, 1, 0, 1000, 20, 16), Headers().packet(bytes(65000)).ljust(size, b"\0"))

    sent = open_to_all.send(*[good] * 7, full)

    assert len(sent) >= 7 * 3


def test_a_rekey_between_two_batches_of_one_super_packet_loses_nothing(arithmetic: str) -> None:  # checklist 11, 31
    bench = SealingBench()
    bench.pair.clock.now += 6
    packet = offloaded(750, 3)
    bench.sender.start_handshake(bench.peer, bench.now)
    (initiation,) = bench.outputs()
    bench.receiver.receive_datagram(initiation, SOURCE, None, bench.now)
    (response,) = [output.datagram for output in bench.receiver.poll() if isinstance(output, SendDatagram)]
    before = bench.session
    bench.load([packet])

    sent: list[bytes] = []
    for number, batch in enumerate(bench.outbound.process(bench.packets, bench.now)):
        sent += bench.outputs()
        sent += [bytes(batch.slot(i)) for i in range(batch.count)]
        if number == 0:
            bench.sender.receive_datagram(response, bench.peer.endpoint or SOURCE, None, bench.now)
    sent += bench.outputs()

    assert bench.session is not before
    assert {datagram[4:8] for datagram in sent} == {
        session.remote_index.to_bytes(4, "little") for session in (before, bench.session)
    }
    delivered = []
    for datagram in sent:
        bench.receiver.receive_datagram(datagram, SOURCE, None, bench.now)
        delivered += [output.packet for output in bench.receiver.poll() if isinstance(output, DeliverPacket)]
    assert delivered == packet.pieces
    bench.close()
