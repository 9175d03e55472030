# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Super-packets are cut as the reference cuts them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.inner_packets import (
    Headers,
    SuperPacket,
    edges_16,
    incomplete_packets,
    random_bytes,
    seeds,
    super_packets,
)
from support.super_packets import ACK, CWR, FIN, NEEDS_CSUM, PSH, UDP, Offload, finished, internet_sum, pseudo_header
from wirefleet_agent.dataplane.segmentation import complete_checksum, layout, segment
from wirefleet_agent.dataplane.virtio import OffloadHeader
from wirefleet_agent.errors import PacketDropped

pytestmark = pytest.mark.usefixtures("arithmetic")
_IN_FRONT = b"in front"
_BEHIND = b"behind"


def segmented(packet: bytes, offload: Offload) -> list[bytes]:
    """Cut where it lies in the middle of a buffer, which stays as it is."""
    buffer = bytearray(_IN_FRONT + packet + _BEHIND)
    segments = segment(buffer, layout(buffer, len(_IN_FRONT), len(packet), OffloadHeader.unpack(offload.pack())))
    assert buffer == _IN_FRONT + packet + _BEHIND
    return segments.packets(buffer)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(super_packets(max_pieces=60))
def test_random_super_packets_are_cut_like_the_reference_cuts_them(super_packet: SuperPacket) -> None:
    assert segmented(super_packet.packet, super_packet.offload) == super_packet.pieces


@settings(max_examples=15, deadline=None, derandomize=True)
@given(super_packets(max_pieces=300, sizes=st.sampled_from([1, 2, 3, 16])))
def test_tiny_pieces_are_cut_too(super_packet: SuperPacket) -> None:
    assert segmented(super_packet.packet, super_packet.offload) == super_packet.pieces


@settings(max_examples=15, deadline=None, derandomize=True)
@given(super_packets(max_pieces=64, sizes=st.integers(1300, 9000)))
def test_super_packets_of_full_size_are_cut_too(super_packet: SuperPacket) -> None:
    assert segmented(super_packet.packet, super_packet.offload) == super_packet.pieces


def test_fin_and_psh_are_the_last_packets_and_cwr_is_the_first_ones() -> None:
    head = Headers(flags=ACK | FIN | PSH | CWR)
    packet = head.packet(bytes(300))

    flags = [piece[33] for piece in segmented(packet, Offload(NEEDS_CSUM, 1, 0, 100, 20, 16))]

    assert flags == [ACK | CWR, ACK, ACK | FIN | PSH]


def test_identification_and_sequence_number_wrap_around() -> None:
    head = Headers(identification=0xFFFF, sequence=0xFFFFFFFF)

    pieces = segmented(head.packet(bytes(200)), Offload(NEEDS_CSUM, 1, 0, 100, 20, 16))

    assert [piece[4:6] for piece in pieces] == [b"\xff\xff", b"\0\0"]
    assert [piece[24:28] for piece in pieces] == [b"\xff\xff\xff\xff", (99).to_bytes(4, "big")]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(incomplete_packets())
def test_a_missing_checksum_is_put_in(packet: SuperPacket) -> None:
    if not packet.offload.flags:
        return
    buffer = bytearray(_IN_FRONT + packet.packet + _BEHIND)

    complete_checksum(buffer, len(_IN_FRONT), len(packet.packet), OffloadHeader.unpack(packet.offload.pack()))

    assert buffer == _IN_FRONT + packet.pieces[0] + _BEHIND


def test_a_udp_checksum_that_works_out_to_zero_is_sent_as_ones() -> None:  # RFC 768
    head = Headers(protocol=UDP)
    word = head.packet(bytes(2))[26:28]
    packet = head.packet(word)
    buffer = bytearray(packet[:26] + b"\0\0" + packet[28:])
    buffer[26:28] = (0xFFFF & ~int.from_bytes(head.packet(bytes(2))[26:28], "big")).to_bytes(2, "big")

    assert packet[26:28] == b"\xff\xff"
    assert segmented(packet, Offload(NEEDS_CSUM, 5, 0, 2, 20, 6)) == [packet]


def test_a_missing_checksum_that_works_out_to_zero_is_ones_for_udp_and_zeros_for_tcp() -> None:  # RFC 768
    for head, field in ((Headers(protocol=UDP), 26), (Headers(), 36)):
        data = bytearray(head.packet(bytes(2)))
        data[-2:] = data[field : field + 2]
        wanted = finished(bytes(data), 20, head.protocol)
        data[field : field + 2] = internet_sum(pseudo_header(bytes(data), 20, head.protocol)).to_bytes(2, "big")

        complete_checksum(data, 0, len(data), OffloadHeader(NEEDS_CSUM, 0, 0, 0, 20, field - 20))

        assert data == wanted
        assert data[field : field + 2] == (b"\xff\xff" if head.protocol == UDP else b"\0\0")


any_offload = st.builds(
    Offload, st.integers(0, 255), st.integers(0, 255), edges_16, edges_16, edges_16, edges_16
) | st.builds(
    Offload,
    st.just(NEEDS_CSUM),
    st.sampled_from([1, 4, 5]),
    st.just(0),
    st.integers(0, 1500) | edges_16,
    st.sampled_from([19, 20, 24, 39, 40, 48, 60]),
    st.sampled_from([6, 16]),
)


def cut(buffer: bytearray, start: int, length: int, offload: OffloadHeader) -> None:
    segment(buffer, layout(buffer, start, length, offload))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    seeds,
    st.integers(0, 120) | st.sampled_from([1420, 65535, 65552]),
    st.sampled_from(b"\x45\x46\x4f\x60\x40\0\xff"),
    any_offload,
)
def test_whatever_an_offload_header_says_nothing_is_raised_but_packet_dropped(
    seed: int, length: int, first: int, offload: Offload
) -> None:
    packet = bytes([first]) + random_bytes(seed, length)[1:] if length else b""
    known = OffloadHeader.unpack(offload.pack())
    for act in (cut, complete_checksum):
        buffer = bytearray(packet)
        try:
            act(buffer, 0, len(packet), known)
        except PacketDropped:
            assert buffer == packet
        assert len(buffer) == len(packet)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(super_packets(max_pieces=3), st.data())
def test_a_super_packet_cut_short_is_cut_or_dropped(super_packet: SuperPacket, data: st.DataObject) -> None:
    packet = super_packet.packet[: data.draw(st.integers(0, len(super_packet.packet)))]
    offload = OffloadHeader.unpack(super_packet.offload.pack())
    try:
        buffer = bytearray(packet)
        pieces = segment(buffer, layout(buffer, 0, len(packet), offload)).packets(packet)
    except PacketDropped:
        return
    header_bytes = len(pieces[0]) - min(offload.gso_size, len(packet))
    assert sum(map(len, pieces)) >= len(packet) >= header_bytes
