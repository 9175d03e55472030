# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Heartbeats on the wire: three messages, big-endian, in UDP between overlay addresses.

All begin with the letters "WF", the version (1) and the kind. Sizes are exact, unknown flags and non-zero filling are
refused: what is here comes from a peer, who is authenticated and may still be hostile or of another version.

========  ====  ==================  =========================================================================
kind      no.   bytes               after the head of 4 bytes
========  ====  ==================  =========================================================================
REQUEST   1     72                  flags 2, filling 2, sequence 8, heard 8, epoch 8, switch count 4, instance 4,
                                    active 32
REPLY     2     56                  flags 2, filling 2, sequence 8, epoch 8, override 32
CLAIMS    3     8 + 40 n, n 1-28    n 2, filling 2, then n times: key 32, switch count 4, flags 1, filling 3
========  ====  ==================  =========================================================================

With UDP and IPv6 headers CLAIMS is at most 1176 bytes long, which the least MTU that a fleet may have (1280) carries.
Nothing here is secret, and nothing is encrypted a second time: the tunnel does both.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import Enum, IntEnum, IntFlag
from typing import NamedTuple

from ..keys import KEY_BYTES, PublicKey

VERSION = 1
REQUEST_BYTES = 72
REPLY_BYTES = 56
CLAIM_BYTES = 40
MAX_CLAIMS = 28
MAX_MESSAGE_BYTES = 8 + MAX_CLAIMS * CLAIM_BYTES
MAX_SEQUENCE = 2**64 - 1
COUNT_MASK = 2**32 - 1

_MAGIC = b"WF"
_HEAD = struct.Struct("!2sBB")
_REQUEST = struct.Struct("!2sBBHHQQQII32s")
_REPLY = struct.Struct("!2sBBHHQQ32s")
_CLAIMS = struct.Struct("!2sBBHH")
_CLAIM = struct.Struct("!32sIB3s")
_NO_KEY = bytes(KEY_BYTES)
_NO_FILLING = bytes(3)

assert (_REQUEST.size, _REPLY.size, _CLAIM.size) == (REQUEST_BYTES, REPLY_BYTES, CLAIM_BYTES)


class Kind(IntEnum):
    REQUEST = 1
    REPLY = 2
    CLAIMS = 3


class Flag(IntFlag):
    """DRAINING: leave this hub, it will go. PROBE: this REQUEST, and its REPLY, went over another hub."""

    DRAINING = 1
    PROBE = 2


class ClaimFlag(IntFlag):
    """LOST: the sender no longer hears this spoke, or it uses another hub now."""

    LOST = 1


_FLAGS = int(Flag.DRAINING | Flag.PROBE)
_CLAIM_FLAGS = int(ClaimFlag.LOST)


class Fault(Enum):
    """Why a message was refused; the value is the name of a counter."""

    MALFORMED = "malformed"
    UNKNOWN_VERSION = "unknown_version"


class MessageInvalid(ValueError):
    """fault: for the counters."""

    def __init__(self, fault: Fault, why: str) -> None:
        super().__init__(why)
        self.fault = fault


class Request(NamedTuple):
    """A spoke to a hub, or a hub to another one, every interval.

    sequence: of this sender to this receiver, from 1. heard: the highest one that the receiver has answered, 0 none.
    active: the hub that the sender's traffic goes to, None for hubs. switch_count: grows with every switch. instance:
    differs after a restart of the sender. epoch: of the configuration, 0 unknown.
    """

    sequence: int
    heard: int = 0
    active: PublicKey | None = None
    switch_count: int = 0
    epoch: int = 0
    instance: int = 0
    flags: Flag = Flag(0)


class Reply(NamedTuple):
    """The answer, at once. override: the hub that the hubs want this spoke to use, None if they have no wish."""

    sequence: int
    epoch: int = 0
    override: PublicKey | None = None
    flags: Flag = Flag(0)


class Claim(NamedTuple):
    """The spoke said that it uses the sender, with this switch count; or the sender has lost it."""

    spoke: PublicKey
    switch_count: int
    is_lost: bool = False


class Claims(NamedTuple):
    """A hub to another one: some of the spokes that use it."""

    claims: tuple[Claim, ...]


Message = Request | Reply | Claims
Buffer = bytes | bytearray | memoryview


def build_request(request: Request) -> bytes:
    return _REQUEST.pack(
        _MAGIC, VERSION, Kind.REQUEST, request.flags, 0,
        request.sequence, request.heard, request.epoch, request.switch_count, request.instance, _raw(request.active),
    )  # fmt: skip


def build_reply(reply: Reply) -> bytes:
    return _REPLY.pack(_MAGIC, VERSION, Kind.REPLY, reply.flags, 0, reply.sequence, reply.epoch, _raw(reply.override))


def build_claims(claims: Sequence[Claim]) -> bytes:
    """Raises ValueError unless there are 1 to MAX_CLAIMS of them."""
    if not 1 <= len(claims) <= MAX_CLAIMS:
        raise ValueError(f"a message has 1 to {MAX_CLAIMS} claims, not {len(claims)}")
    head = _CLAIMS.pack(_MAGIC, VERSION, Kind.CLAIMS, len(claims), 0)
    return head + b"".join(
        _CLAIM.pack(claim.spoke.raw, claim.switch_count, ClaimFlag.LOST if claim.is_lost else 0, _NO_FILLING)
        for claim in claims
    )


def parse(datagram: Buffer) -> Message:
    """One whole message. Raises MessageInvalid."""
    if len(datagram) < _HEAD.size:
        raise MessageInvalid(Fault.MALFORMED, "shorter than a head")
    magic, version, kind = _HEAD.unpack_from(datagram)
    if magic != _MAGIC:
        raise MessageInvalid(Fault.MALFORMED, "not a heartbeat")
    if version != VERSION:
        raise MessageInvalid(Fault.UNKNOWN_VERSION, f"version {version}")
    if kind == Kind.REQUEST:
        return _parse_request(datagram)
    if kind == Kind.REPLY:
        return _parse_reply(datagram)
    if kind == Kind.CLAIMS:
        return Claims(_parse_claims(datagram))
    raise MessageInvalid(Fault.MALFORMED, f"kind {kind}")


def _parse_request(datagram: Buffer) -> Request:
    if len(datagram) != REQUEST_BYTES:
        raise MessageInvalid(Fault.MALFORMED, "a request of another size")
    _, _, _, flags, filling, sequence, heard, epoch, count, instance, active = _REQUEST.unpack(datagram)
    # What is heard can only be what was sent.
    if flags & ~_FLAGS or filling or not sequence or heard > sequence:
        raise MessageInvalid(Fault.MALFORMED, "a request with impossible fields")
    return Request(sequence, heard, _key(active), count, epoch, instance, Flag(flags))


def _parse_reply(datagram: Buffer) -> Reply:
    if len(datagram) != REPLY_BYTES:
        raise MessageInvalid(Fault.MALFORMED, "a reply of another size")
    _, _, _, flags, filling, sequence, epoch, override = _REPLY.unpack(datagram)
    if flags & ~_FLAGS or filling or not sequence:
        raise MessageInvalid(Fault.MALFORMED, "a reply with impossible fields")
    return Reply(sequence, epoch, _key(override), Flag(flags))


def _parse_claims(datagram: Buffer) -> tuple[Claim, ...]:
    if len(datagram) < _CLAIMS.size:
        raise MessageInvalid(Fault.MALFORMED, "claims without a head")
    _, _, _, number, filling = _CLAIMS.unpack_from(datagram)
    if filling or not 1 <= number <= MAX_CLAIMS or len(datagram) != _CLAIMS.size + number * CLAIM_BYTES:
        raise MessageInvalid(Fault.MALFORMED, "claims of another size")
    found: dict[PublicKey, Claim] = {}
    for at in range(_CLAIMS.size, len(datagram), CLAIM_BYTES):
        raw, count, flags, rest = _CLAIM.unpack_from(datagram, at)
        if flags & ~_CLAIM_FLAGS or rest != _NO_FILLING or raw == _NO_KEY:
            raise MessageInvalid(Fault.MALFORMED, "a claim with impossible fields")
        key = PublicKey(raw)
        if key in found:
            raise MessageInvalid(Fault.MALFORMED, "one spoke claimed twice")
        found[key] = Claim(key, count, bool(flags & ClaimFlag.LOST))
    return tuple(found.values())


def _raw(key: PublicKey | None) -> bytes:
    return _NO_KEY if key is None else key.raw


def _key(raw: bytes) -> PublicKey | None:
    return None if raw == _NO_KEY else PublicKey(raw)


def is_newer_count(count: int, than: int) -> bool:
    """Whether a switch count comes after another one; counts wrap around at 2^32 (RFC 1982, serial numbers).

    Two that lie exactly half of the circle apart are neither newer nor older.
    """
    ahead = (count - than) & COUNT_MASK
    return 0 < ahead < 2**31
