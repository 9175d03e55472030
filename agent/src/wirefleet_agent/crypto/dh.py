# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""X25519 (RFC 7748), with an all-zero result as an error (checklist 2)."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from ..keys import PrivateKey, PublicKey


class ZeroSharedSecret(Exception):
    """The other side's key has small order: the shared secret would be all zero and known to everybody."""


def exchange(private: X25519PrivateKey, public: bytes) -> bytes:
    """The 32-byte shared secret. Raises ZeroSharedSecret."""
    try:
        return private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise ZeroSharedSecret from error


def public_key_of(private: PrivateKey) -> PublicKey:
    """The public half of a private key."""
    return StaticIdentity(private).public_key


class StaticIdentity:
    """A private key, parsed once, and its public half. The same class holds an ephemeral key for its short life."""

    __slots__ = ("_parsed", "private_key", "public_key")

    def __init__(self, private_key: PrivateKey) -> None:
        self.private_key: Final = private_key
        self._parsed = X25519PrivateKey.from_private_bytes(private_key.reveal_bytes())
        self.public_key: Final = PublicKey(self._parsed.public_key().public_bytes_raw())

    def exchange(self, public: bytes) -> bytes:
        """The 32-byte shared secret with ``public`` (32 bytes). Raises ZeroSharedSecret."""
        return exchange(self._parsed, public)
