# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Joined packets are, when the host has cut them again, exactly those that came."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.inner_packets import Headers, SuperPacket, streams, super_packets
from support.sealing_bench import OVERHEAD, padded
from support.super_packets import ACK, PSH, TCP, UDP, Offload, cut, cut_written, finished
from support.tunnels import LEFT6, RIGHT6
from wirefleet_agent.dataplane.coalescing import Run, find_runs, join
from wirefleet_agent.dataplane.rows import Rows, RowViews

pytestmark = pytest.mark.usefixtures("arithmetic")
FAMILIES = [
    pytest.param(Headers(version=version, protocol=protocol, **ends), id=f"v{version}-{name}")  # type: ignore[arg-type]
    for version, ends in ((4, {}), (6, {"source": LEFT6, "destination": RIGHT6}))
    for protocol, name in ((TCP, "tcp"), (UDP, "udp"))
]


def in_rows(packets: list[bytes], *, gap: int = OVERHEAD, filler: int = 0xEE) -> tuple[bytearray, Rows]:
    """Packets, all padded to one size but a shorter last one, at equal distances as in a train."""
    size = max(len(packet) for packet in packets)
    last_size = len(packets[-1])
    assert all(len(packet) == size for packet in packets[:-1])
    buffer = bytearray([filler] * 16)
    for packet in packets:
        buffer += packet + bytes([filler]) * gap
    return buffer, Rows(16, size + gap, len(packets), size, last_size)


def rejoined(packets: list[bytes]) -> tuple[list[bytes], list[Run]]:
    """What the host gets of packets that lie in rows: super-packets cut again, the rest as it is, in order."""
    buffer, rows = in_rows(packets)
    before = bytes(buffer)
    runs = find_runs(buffer, rows)
    result: list[bytes] = []
    done = 0
    kept = RowViews()
    for run in runs:
        assert run.first >= done
        assert run.end - run.first > 1
        result += packets[done : run.first]
        result += cut_written(join(memoryview(buffer), rows, run, kept))
        done = run.end
    assert buffer == before
    return result + packets[done:], runs


def transfer(head: Headers, count: int, size: int, last: int | None = None) -> list[bytes]:
    """The packets of one super-packet, as a sender's card cuts it."""
    payload = bytes(range(256)) * (count * size // 256 + 1)
    packet = head.packet(payload[: (count - 1) * size + (size if last is None else last)])
    kind = 5 if head.protocol == UDP else 1 if head.version == 4 else 4
    return cut(packet, Offload(1, kind, 0, size, head.transport, 6 if head.protocol == UDP else 16))


def whole_rows(packets: list[bytes]) -> list[list[bytes]]:
    """Trains of packets of one size."""
    trains: list[list[bytes]] = []
    for packet in packets:
        train = trains[-1] if trains else []
        if train and len(packet) <= len(train[0]) == len(train[-1]):
            train.append(packet)
        else:
            trains.append([packet])
    return trains


@settings(max_examples=200, deadline=None, derandomize=True)
@given(streams())
def test_random_streams_come_out_as_they_went_in(packets: list[bytes]) -> None:
    for train in whole_rows(packets):
        assert rejoined(train)[0] == train


@settings(max_examples=100, deadline=None, derandomize=True)
@given(super_packets(is_plain=True, max_pieces=64, sizes=st.integers(1, 1420)))
def test_bulk_traffic_is_joined_to_few_super_packets(super_packet: SuperPacket) -> None:
    packets = super_packet.pieces

    result, runs = rejoined(packets)

    assert result == packets
    if len(packets) > 3:
        joined = sum(run.end - run.first for run in runs)
        assert joined >= len(packets) - 1


@pytest.mark.parametrize("head", FAMILIES)
@pytest.mark.parametrize("last", [1, 99, 100])
@pytest.mark.parametrize("count", [2, 3, 64])
def test_a_transfer_is_one_super_packet_with_its_shorter_end(head: Headers, count: int, last: int) -> None:
    packets = transfer(head, count, 100, last)

    result, runs = rejoined(packets)

    assert result == packets
    wanted = count - (count == 2 and last < 100)  # a single full packet begins no run
    assert [run.end - run.first for run in runs] == ([wanted] if wanted > 1 else [])


@pytest.mark.parametrize("head", FAMILIES)
@pytest.mark.parametrize(("count", "size"), [(65, 100), (128, 8), (128, 1400), (47, 1380)])
def test_what_is_too_much_for_one_super_packet_becomes_several(head: Headers, count: int, size: int) -> None:
    packets = chained(head, count, size)

    result, runs = rejoined(packets)

    assert result == packets
    assert sum(run.end - run.first for run in runs) == count - (count == 65)  # the one that is left is alone


def chained(head: Headers, count: int, size: int) -> list[bytes]:
    return [
        replace(
            head,
            identification=head.identification + k & 0xFFFF,
            sequence=head.sequence + k * size & 0xFFFFFFFF,
        ).packet(bytes([k]) * size)
        for k in range(count)
    ]


@pytest.mark.parametrize("head", FAMILIES)
def test_numbers_that_wrap_around_do_not_end_a_run(head: Headers) -> None:
    head = replace(head, identification=0xFFFE, sequence=0xFFFFFFFF - 150)
    packets = chained(head, 5, 100)

    result, runs = rejoined(packets)

    assert result == packets
    assert [(run.first, run.end) for run in runs] == [(0, 5)]


@pytest.mark.parametrize("position", range(5))
def test_psh_ends_a_run(position: int) -> None:
    packets = chained(Headers(), 5, 100)
    head = replace(Headers(), identification=7 + position, sequence=1 + 100 * position, flags=ACK | PSH)
    packets[position] = head.packet(bytes([position]) * 100)

    result, runs = rejoined(packets)

    assert result == packets
    assert not [run for run in runs if run.first <= position < run.end - 1]


def changes(head: Headers) -> list[dict[str, object]]:
    found: list[dict[str, object]] = [{"ttl": 63}, {"traffic_class": 1}, {"ports": b"\1\1\1\1"}]
    found += [{"source": "10.86.0.3"}, {"identification": 40}, {"fragment": 0}] if head.version == 4 else []
    found += [{"source": "fd86::3"}, {"label": 5}] if head.version == 6 else []
    if head.protocol == TCP:
        found += [{"sequence": 9}, {"acknowledgement": 9}, {"window": 9}, {"reserved": 1}, {"urgent": 9}]
        found += [{"flags": ACK | 1 << bit} for bit in (0, 1, 2, 5, 6, 7)] + [{"flags": 0}, {"flags": PSH}]
    return found


@pytest.mark.parametrize("head", FAMILIES)
@pytest.mark.parametrize("position", [0, 1, 2, 3])
def test_one_packet_that_differs_is_in_no_super_packet(head: Headers, position: int) -> None:
    for change in changes(head):
        packets = chained(head, 4, 100)
        same = {"identification": head.identification + position, "sequence": head.sequence + 100 * position}
        packets[position] = replace(head, **{**same, **change}).packet(bytes([position]) * 100)  # type: ignore[arg-type]

        result, runs = rejoined(packets)

        assert result == packets, change
        assert not [run for run in runs if run.first <= position < run.end], change


@pytest.mark.parametrize("head", FAMILIES)
def test_a_shorter_end_that_differs_is_not_joined(head: Headers) -> None:
    head = replace(head, options=b"\1" * 4 if head.protocol == TCP else b"")
    last = {"identification": head.identification + 3, "sequence": head.sequence + 300}
    alike = [*chained(head, 3, 100), replace(head, **last).packet(b"end")]  # type: ignore[arg-type]
    assert [(run.first, run.end) for run in rejoined(alike)[1]] == [(0, 4)]

    for change in [*changes(head), *([{"options": b"\1\1\1\0"}] if head.protocol == TCP else [])]:
        if change == {"flags": ACK | PSH}:
            continue
        packets = [*alike[:3], replace(head, **{**last, **change}).packet(b"end")]  # type: ignore[arg-type]

        result, runs = rejoined(packets)

        assert result == packets, change
        assert [(run.first, run.end) for run in runs] == [(0, 3)], change


@pytest.mark.parametrize("head", FAMILIES)
@pytest.mark.parametrize(("last", "is_joined"), [(99, True), (100, False), (101, False), (130, False)])
def test_a_row_that_is_shorter_but_its_packet_is_not_is_no_end(head: Headers, last: int, is_joined: bool) -> None:
    """A peer may pad as it likes."""
    end = replace(head, identification=head.identification + 3, sequence=head.sequence + 300).packet(bytes(last))
    packets = [*chained(head, 3, 100), end]
    size = head.transport + 200
    buffer = bytearray(b"".join(packet.ljust(size, b"\xee") for packet in packets))

    runs = find_runs(buffer, Rows(0, size, 4, size, size - 16))

    assert [run.end for run in runs] == [3 + is_joined]


@pytest.mark.parametrize("head", FAMILIES)
@pytest.mark.parametrize("position", [0, 1, 4])
def test_every_flipped_bit_of_a_packet_comes_out_flipped(head: Headers, position: int) -> None:
    """Above all its checksum is not put right: what was damaged on the way stays recognizable."""
    packets = chained(head, 5, 24)
    for bit in range(len(packets[0]) * 8):
        flipped = bytearray(packets[position])
        flipped[bit // 8] ^= 1 << bit % 8
        changed = [*packets[:position], bytes(flipped), *packets[position + 1 :]]

        assert rejoined(changed)[0] == changed, bit


@pytest.mark.parametrize("head", FAMILIES)
@pytest.mark.parametrize("position", [0, 2, 4])
def test_every_flipped_bit_of_a_shorter_end_and_before_it_comes_out_flipped(head: Headers, position: int) -> None:
    packets = transfer(head, 5, 30, 17)
    for bit in range(len(packets[position]) * 8):
        flipped = bytearray(packets[position])
        flipped[bit // 8] ^= 1 << bit % 8
        changed = [*packets[:position], bytes(flipped), *packets[position + 1 :]]

        assert rejoined(changed)[0] == changed, bit


@pytest.mark.parametrize("zero", [b"\0\0", b"\xff\xff"])
@pytest.mark.parametrize("head", FAMILIES)
def test_either_form_of_a_checksum_of_zero_comes_out_as_it_was(head: Headers, zero: bytes) -> None:
    """Both are valid sums, and only one of them is what a card computes."""
    field = head.transport + (6 if head.protocol == UDP else 16)
    packets = chained(head, 4, 100)
    data = bytearray(packets[1])
    data[-2:] = b"\0\0"
    data[-2:] = finished(bytes(data), head.transport, head.protocol)[field : field + 2]
    data[field : field + 2] = zero
    packets[1] = bytes(data)

    assert rejoined(packets)[0] == packets


def test_either_form_of_a_header_checksum_of_zero_comes_out_as_it_was() -> None:  # RFC 1624
    packets = chained(Headers(ttl=101, traffic_class=0xB4), 4, 100)
    assert packets[3][10:12] == b"\0\0"
    packets[3] = packets[3][:10] + b"\xff\xff" + packets[3][12:]

    assert rejoined(packets)[0] == packets


@pytest.mark.parametrize("head", FAMILIES)
def test_padding_behind_the_packets_is_not_part_of_them(head: Headers) -> None:
    packets = chained(head, 6, 101)
    buffer, rows = in_rows([padded(packet) for packet in packets])

    (run,) = find_runs(buffer, rows)

    assert cut_written(join(memoryview(buffer), rows, run, RowViews())) == packets


def test_a_train_of_many_kinds_is_given_up_soon() -> None:
    """Else each of them would cost sums over the whole train: a peer could make it sixty times as dear."""
    strange = [replace(Headers(), options=b"\1" * 4 * words).packet(bytes(100 - 4 * words)) for words in range(10)]
    alike = chained(Headers(), 4, 100)
    for kinds in range(10):
        packets = [*strange[1 : 1 + kinds], *alike]

        result, runs = rejoined(packets)

        assert result == packets
        assert [run.end - run.first for run in runs] == ([4] if kinds < 4 else []), kinds
