# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""ChaCha20-Poly1305 (RFC 8439) for handshakes and data, XChaCha20-Poly1305 for cookies."""

from __future__ import annotations

import nacl.bindings
import nacl.exceptions
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

# ChaCha20Poly1305 of cryptography as it is: the data plane seals and opens in place with encrypt_into / decrypt_into.
Aead = ChaCha20Poly1305
AuthenticationFailed = InvalidTag


def seal_cookie(key: bytes, nonce: bytes, cookie: bytes, mac1: bytes) -> bytes:
    """Encrypt a 16-byte cookie under a 24-byte nonce, bound to the mac1 it answers: 32 bytes (paper 5.4.7)."""
    return nacl.bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(cookie, mac1, nonce, key)


def open_cookie(key: bytes, nonce: bytes, sealed: bytes, mac1: bytes) -> bytes:
    """The cookie. Raises AuthenticationFailed."""
    try:
        return nacl.bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, mac1, nonce, key)
    except nacl.exceptions.CryptoError as error:
        raise AuthenticationFailed from error
