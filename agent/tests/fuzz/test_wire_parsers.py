# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Parsers of the wire floor under truncations, flipped bits and random bytes: PacketDropped is all that comes out."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.packets import ip_packet
from wirefleet_agent.errors import PacketDropped
from wirefleet_agent.wire import (
    CookieReply,
    Initiation,
    MessageType,
    Response,
    ip,
    message_type,
    pack_transport_header,
    unpack_transport_header,
)

CHANCE = random.Random(26)
INITIATION = bytes(Initiation(1, *(CHANCE.randbytes(size) for size in (32, 48, 28, 16, 16))).build())
RESPONSE = bytes(Response(1, 2, *(CHANCE.randbytes(size) for size in (32, 16, 16, 16))).build())
COOKIE = bytes(CookieReply(1, CHANCE.randbytes(24), CHANCE.randbytes(32)).build())
TRANSPORT = pack_transport_header(7, 99) + CHANCE.randbytes(64)
PACKETS = [ip_packet("10.86.0.1", "10.86.0.2", b"x" * 30), ip_packet("fd86::1", "fd86::2", b"x" * 30)]

Parser = Callable[[bytes], object]
PARSERS: list[Parser] = [
    message_type,
    Initiation.parse,
    Response.parse,
    CookieReply.parse,
    unpack_transport_header,
    ip.inspect,
]
SAMPLES = [INITIATION, RESPONSE, COOKIE, TRANSPORT, *PACKETS]
EXACT: list[tuple[Parser, bytes]] = [
    (Initiation.parse, INITIATION),
    (Response.parse, RESPONSE),
    (CookieReply.parse, COOKIE),
]


def feed(parser: Parser, data: bytes) -> object:
    """What comes out, None for PacketDropped; any other exception is the test's failure. All buffer kinds agree."""
    results = []
    for kind in (bytes, bytearray, memoryview):
        try:
            results.append(parser(kind(data)))  # type: ignore[arg-type]
        except PacketDropped:
            results.append(None)
    assert results[0] == results[1] == results[2]
    return results[0]


@pytest.mark.parametrize("sample", SAMPLES, ids=range(len(SAMPLES)))
@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.__qualname__)
def test_truncations_trailing_bytes_and_flipped_bits_raise_nothing_but_packet_dropped(
    parser: Parser, sample: bytes
) -> None:
    for length in range(len(sample)):
        feed(parser, sample[:length])
    feed(parser, sample + b"\0")
    for bit in range(len(sample) * 8):
        flipped = bytearray(sample)
        flipped[bit // 8] ^= 1 << bit % 8
        feed(parser, bytes(flipped))


@pytest.mark.parametrize(("parser", "sample"), EXACT)
def test_a_handshake_message_has_one_size_and_one_type(parser: Parser, sample: bytes) -> None:
    assert feed(parser, sample) is not None
    for length in range(len(sample) * 2):
        if length != len(sample):
            assert feed(parser, (sample * 2)[:length]) is None
    for bit in range(32):
        flipped = bytearray(sample)
        flipped[bit // 8] ^= 1 << bit % 8
        assert feed(parser, bytes(flipped)) is None


@pytest.mark.parametrize(("parser", "sample"), EXACT)
def test_what_is_parsed_builds_the_same_bytes_again(parser: Parser, sample: bytes) -> None:
    for bit in range(32, len(sample) * 8):
        flipped = bytearray(sample)
        flipped[bit // 8] ^= 1 << bit % 8
        message = parser(bytes(flipped))
        assert isinstance(message, Initiation | Response | CookieReply)
        assert bytes(message.build()) == flipped


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.binary(max_size=300), st.integers(0, 6))
def test_random_bytes_raise_nothing_but_packet_dropped(data: bytes, kind: int) -> None:
    for parser in PARSERS:
        feed(parser, data)
        feed(parser, bytes([kind, 0, 0, 0]) + data)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(min_size=1, max_size=4), st.binary(max_size=160))
def test_the_type_is_all_four_bytes(prefix: bytes, rest: bytes) -> None:
    try:
        kind = message_type(prefix + rest)
    except PacketDropped:
        assert (prefix + rest)[:4] not in {bytes([number, 0, 0, 0]) for number in MessageType}
    else:
        assert (prefix + rest)[:4] == bytes([kind, 0, 0, 0])


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.sampled_from(PACKETS), st.integers(0, 79), st.integers(0, 255), st.integers(0, 80), st.binary(max_size=40))
def test_what_ip_inspect_accepts_is_within_the_packet(
    packet: bytes, offset: int, value: int, length: int, tail: bytes
) -> None:
    damaged = bytearray(packet)
    damaged[offset % len(packet)] = value
    data = bytes(damaged[:length]) + tail

    result = feed(ip.inspect, data)

    if result is not None:
        version, source, destination, total = ip.inspect(data)
        size = 4 if version == 4 else 16
        assert version == data[0] >> 4
        assert len(source) == len(destination) == size
        assert (20 if version == 4 else 40) <= total <= len(data)
        assert source + destination in data[:40]
