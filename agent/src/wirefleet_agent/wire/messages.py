# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The three messages of the handshake, field by field (WireGuard paper 5.4.2, 5.4.3, 5.4.7).

Sizes are exact: a parser takes the whole datagram and refuses one byte more or less. The type is a
little-endian u32, so the three reserved bytes after the type byte must be 0 (checklist 1).
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple, Self

from ..drops import DropReason
from ..errors import PacketDropped


class MessageType(IntEnum):
    INITIATION = 1
    RESPONSE = 2
    COOKIE_REPLY = 3
    TRANSPORT = 4


INITIATION_BYTES = 148
RESPONSE_BYTES = 92
COOKIE_REPLY_BYTES = 64
# Both messages that carry MACs end with mac1, mac2, 16 bytes each.
MAC1_OFFSET_FROM_END = 32
MAC2_OFFSET_FROM_END = 16

_TYPE = struct.Struct("<I")
_INITIATION = struct.Struct("<II32s48s28s16s16s")
_RESPONSE = struct.Struct("<III32s16s16s16s")
_COOKIE_REPLY = struct.Struct("<II24s32s")
_NO_MAC = bytes(16)

Datagram = bytes | bytearray | memoryview


def message_type(datagram: Datagram) -> MessageType:
    """The type of a datagram. Raises PacketDropped(MALFORMED_MESSAGE | UNKNOWN_MESSAGE_TYPE)."""
    if len(datagram) < _TYPE.size:
        raise PacketDropped(DropReason.MALFORMED_MESSAGE)
    (number,) = _TYPE.unpack_from(datagram)
    if not MessageType.INITIATION <= number <= MessageType.TRANSPORT:
        raise PacketDropped(DropReason.UNKNOWN_MESSAGE_TYPE)
    return MessageType(number)


def _check(datagram: Datagram, expected: MessageType, size: int) -> None:
    if len(datagram) != size or message_type(datagram) is not expected:
        raise PacketDropped(DropReason.MALFORMED_MESSAGE)


class Initiation(NamedTuple):
    """The first message, from initiator to responder: 148 bytes."""

    sender_index: int
    ephemeral: bytes
    encrypted_static: bytes
    encrypted_timestamp: bytes
    mac1: bytes = _NO_MAC
    mac2: bytes = _NO_MAC

    @classmethod
    def parse(cls, datagram: Datagram) -> Self:
        """Raises PacketDropped(MALFORMED_MESSAGE) for any other size or type."""
        _check(datagram, MessageType.INITIATION, INITIATION_BYTES)
        return cls._make(_INITIATION.unpack(datagram)[1:])

    def build(self) -> bytearray:
        """The 148 bytes; MACs are as in the fields, zeros until the cookie generator fills them in."""
        return bytearray(_INITIATION.pack(MessageType.INITIATION, *self))


class Response(NamedTuple):
    """The second message, from responder to initiator: 92 bytes."""

    sender_index: int
    receiver_index: int
    ephemeral: bytes
    encrypted_nothing: bytes
    mac1: bytes = _NO_MAC
    mac2: bytes = _NO_MAC

    @classmethod
    def parse(cls, datagram: Datagram) -> Self:
        """Raises PacketDropped(MALFORMED_MESSAGE) for any other size or type."""
        _check(datagram, MessageType.RESPONSE, RESPONSE_BYTES)
        return cls._make(_RESPONSE.unpack(datagram)[1:])

    def build(self) -> bytearray:
        """The 92 bytes; MACs as in Initiation.build."""
        return bytearray(_RESPONSE.pack(MessageType.RESPONSE, *self))


class CookieReply(NamedTuple):
    """What a responder under load sends in place of an answer: 64 bytes."""

    receiver_index: int
    nonce: bytes
    encrypted_cookie: bytes

    @classmethod
    def parse(cls, datagram: Datagram) -> Self:
        """Raises PacketDropped(MALFORMED_MESSAGE) for any other size or type."""
        _check(datagram, MessageType.COOKIE_REPLY, COOKIE_REPLY_BYTES)
        return cls._make(_COOKIE_REPLY.unpack(datagram)[1:])

    def build(self) -> bytes:
        return _COOKIE_REPLY.pack(MessageType.COOKIE_REPLY, *self)
