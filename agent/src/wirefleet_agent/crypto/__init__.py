# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""One facade over cryptography, hashlib and PyNaCl: exactly the primitives WireGuard names.

Entropy is passed in, never drawn here. Wiping is best effort: Python copies, the libraries keep keys in objects of
their own; what this package can overwrite it takes and gives as bytearrays.
"""

from .aead import Aead, AuthenticationFailed, open_cookie, seal_cookie
from .dh import StaticIdentity, ZeroSharedSecret, exchange, public_key_of
from .hashing import HASH_BYTES, MAC_BYTES, blake2s, kdf, mac, macs_equal

__all__ = [
    "HASH_BYTES",
    "MAC_BYTES",
    "Aead",
    "AuthenticationFailed",
    "StaticIdentity",
    "ZeroSharedSecret",
    "blake2s",
    "exchange",
    "kdf",
    "mac",
    "macs_equal",
    "open_cookie",
    "public_key_of",
    "seal_cookie",
]
