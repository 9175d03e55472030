# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""BLAKE2s: hash, keyed MAC, HMAC and the key derivation built of them (WireGuard paper 5.4, RFC 7693, RFC 2104)."""

from __future__ import annotations

import hashlib
import hmac

HASH_BYTES = 32
MAC_BYTES = 16

_BLOCK_BYTES = 64
# Tables that XOR every byte of a key with the pad of RFC 2104.
_INNER_PAD = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD = bytes(byte ^ 0x5C for byte in range(256))

Buffer = bytes | bytearray | memoryview


def blake2s(*parts: Buffer) -> bytes:
    """BLAKE2s-256 of the parts, one after the other."""
    digest = hashlib.blake2s()
    for part in parts:
        digest.update(part)
    return digest.digest()


def mac(key: Buffer, *parts: Buffer) -> bytes:
    """Keyed BLAKE2s-128, 16 bytes: mac1, mac2 and the cookie."""
    digest = hashlib.blake2s(digest_size=MAC_BYTES, key=key)
    for part in parts:
        digest.update(part)
    return digest.digest()


def macs_equal(one: Buffer, other: Buffer) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(one, other)


def kdf(count: int, key: Buffer, data: Buffer) -> list[bytes]:
    """``count`` 32-byte outputs: KDF1, KDF2, KDF3 of the paper, HKDF (RFC 5869) with HMAC-BLAKE2s and no info.

    key: at most 64 bytes. A handshake makes 21 HMACs; made of hash objects they take a third of the time that
    ``hmac.digest`` takes, which looks the hash up by its name each time.
    """
    inner, outer = _hmac_halves(bytes(key))
    inner.update(data)
    outer.update(inner.digest())
    inner, outer = _hmac_halves(outer.digest())
    outputs: list[bytes] = []
    last = b""
    for number in range(1, count + 1):
        half = inner.copy()
        half.update(last + bytes((number,)))
        whole = outer.copy()
        whole.update(half.digest())
        last = whole.digest()
        outputs.append(last)
    return outputs


def _hmac_halves(key: bytes) -> tuple[hashlib.blake2s, hashlib.blake2s]:
    """The inner and the outer hash of an HMAC, each fed with its padded key (RFC 2104)."""
    block = key.ljust(_BLOCK_BYTES, b"\0")
    return hashlib.blake2s(block.translate(_INNER_PAD)), hashlib.blake2s(block.translate(_OUTER_PAD))
