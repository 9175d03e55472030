# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Curve25519 key pairs and random secrets by PyNaCl."""

from __future__ import annotations

import traceback

try:
    import nacl.bindings
    import nacl.utils
except ImportError:
    NACL_IMPORT_ERROR: str | None = traceback.format_exc()
else:
    NACL_IMPORT_ERROR = None

from .key_text import KEY_BYTES


def generate_private_key() -> bytes:
    """32 random bytes, clamped as ``wg genkey`` does it (RFC 7748 section 5)."""
    raw = bytearray(nacl.utils.random(KEY_BYTES))
    raw[0] &= 248
    raw[31] = (raw[31] & 127) | 64
    return bytes(raw)


def generate_preshared_key() -> bytes:
    return nacl.utils.random(KEY_BYTES)


def derive_public_key(private_key: bytes) -> bytes:
    """The public key of 32 private bytes, clamped or not."""
    return nacl.bindings.crypto_scalarmult_base(private_key)
