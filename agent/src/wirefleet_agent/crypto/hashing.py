# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""BLAKE2s: hash, keyed MAC, HMAC and the key derivation built of them (WireGuard paper 5.4, RFC 7693, RFC 2104)."""

from __future__ import annotations

import hashlib
import hmac

HASH_BYTES = 32
MAC_BYTES = 16

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
    """``count`` 32-byte outputs: KDF1, KDF2, KDF3 of the paper, HKDF (RFC 5869) with HMAC-BLAKE2s and no info."""
    secret = hmac.digest(bytes(key), bytes(data), "blake2s")
    outputs: list[bytes] = []
    last = b""
    for number in range(1, count + 1):
        last = hmac.digest(secret, last + bytes((number,)), "blake2s")
        outputs.append(last)
    return outputs
