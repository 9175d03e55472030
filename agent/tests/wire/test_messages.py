# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The layout of every message, and the refusal of everything that is not exactly one."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from wirefleet_agent.drops import DropReason
from wirefleet_agent.errors import PacketDropped
from wirefleet_agent.wire import (
    COOKIE_REPLY_BYTES,
    INITIATION_BYTES,
    KEEPALIVE_BYTES,
    RESPONSE_BYTES,
    CookieReply,
    Initiation,
    MessageType,
    Response,
    message_type,
    pack_nonce,
    pack_transport_header,
    padded_length,
    unpack_transport_header,
)

INITIATION = Initiation(0x01020304, b"e" * 32, b"s" * 48, b"t" * 28, b"1" * 16, b"2" * 16)
RESPONSE = Response(0x01020304, 0x0A0B0C0D, b"e" * 32, b"n" * 16, b"1" * 16, b"2" * 16)
COOKIE_REPLY = CookieReply(0x0A0B0C0D, b"n" * 24, b"c" * 32)
TRANSPORT = pack_transport_header(0x0A0B0C0D, 7) + bytes(16)

Parser = Callable[[bytes], object]
PARSERS: list[tuple[bytes, Parser]] = [
    (bytes(INITIATION.build()), Initiation.parse),
    (bytes(RESPONSE.build()), Response.parse),
    (COOKIE_REPLY.build(), CookieReply.parse),
    (TRANSPORT, unpack_transport_header),
]


# checklist 1
def test_messages_are_laid_out_as_in_the_paper() -> None:
    initiation = bytes.fromhex("01000000 04030201") + b"e" * 32 + b"s" * 48 + b"t" * 28 + b"1" * 16 + b"2" * 16
    response = bytes.fromhex("02000000 04030201 0d0c0b0a") + b"e" * 32 + b"n" * 16 + b"1" * 16 + b"2" * 16
    cookie_reply = bytes.fromhex("03000000 0d0c0b0a") + b"n" * 24 + b"c" * 32

    assert bytes(INITIATION.build()) == initiation
    assert bytes(RESPONSE.build()) == response
    assert COOKIE_REPLY.build() == cookie_reply
    assert pack_transport_header(0x0A0B0C0D, 7) == bytes.fromhex("04000000 0d0c0b0a 0700000000000000")
    assert (INITIATION_BYTES, RESPONSE_BYTES, COOKIE_REPLY_BYTES, KEEPALIVE_BYTES) == (148, 92, 64, 32)


def test_messages_come_back_as_they_were() -> None:
    assert Initiation.parse(INITIATION.build()) == INITIATION
    assert Response.parse(memoryview(RESPONSE.build())) == RESPONSE
    assert CookieReply.parse(COOKIE_REPLY.build()) == COOKIE_REPLY
    assert unpack_transport_header(TRANSPORT) == (0x0A0B0C0D, 7)


# checklist 1
@pytest.mark.parametrize(("datagram", "parse"), PARSERS)
def test_every_truncation_is_malformed(datagram: bytes, parse: Parser) -> None:
    for size in range(len(datagram)):
        with pytest.raises(PacketDropped) as dropped:
            parse(datagram[:size])
        assert dropped.value.reason is DropReason.MALFORMED_MESSAGE


@pytest.mark.parametrize(("datagram", "parse"), PARSERS[:3])
def test_trailing_bytes_are_malformed(datagram: bytes, parse: Parser) -> None:
    with pytest.raises(PacketDropped) as dropped:
        parse(datagram + b"\0")

    assert dropped.value.reason is DropReason.MALFORMED_MESSAGE


# checklist 1
@pytest.mark.parametrize(("datagram", "parse"), PARSERS)
@pytest.mark.parametrize("reserved", [1, 2, 3])
def test_a_reserved_byte_that_is_not_zero_is_another_type(datagram: bytes, parse: Parser, reserved: int) -> None:
    spoiled = bytearray(datagram)
    spoiled[reserved] = 1

    with pytest.raises(PacketDropped):
        parse(bytes(spoiled))
    with pytest.raises(PacketDropped) as dropped:
        message_type(spoiled)
    assert dropped.value.reason is DropReason.UNKNOWN_MESSAGE_TYPE


def test_the_type_is_told_from_the_first_four_bytes() -> None:
    assert [message_type(datagram) for datagram, _ in PARSERS] == list(MessageType)
    for number in (0, 5, 255):
        with pytest.raises(PacketDropped) as dropped:
            message_type(struct.pack("<I", number))
        assert dropped.value.reason is DropReason.UNKNOWN_MESSAGE_TYPE
    with pytest.raises(PacketDropped) as dropped:
        message_type(b"\1\0\0")
    assert dropped.value.reason is DropReason.MALFORMED_MESSAGE


def test_the_nonce_is_the_counter_after_four_zero_bytes() -> None:
    assert pack_nonce(0x0102) == bytes(4) + b"\x02\x01" + bytes(6)
    assert pack_nonce((1 << 64) - 1) == bytes(4) + b"\xff" * 8


# checklist 28
@pytest.mark.parametrize(
    ("length", "mtu_bytes", "padded"),
    [
        (0, 1420, 0),
        (1, 1420, 16),
        (16, 1420, 16),
        (17, 1420, 32),
        (1409, 1420, 1420),
        (1420, 1420, 1420),
        (1421, 1420, 1436),
        (2840, 1420, 2840),
        (2839, 1420, 2840),
        (33, 0, 48),
        (5, 10, 10),
    ],
)
def test_padding_goes_to_sixteen_and_never_beyond_the_mtu(length: int, mtu_bytes: int, padded: int) -> None:
    assert padded_length(length, mtu_bytes) == padded
