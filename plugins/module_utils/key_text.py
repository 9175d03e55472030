# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""WireGuard's key texts: 32 bytes in canonical base64. Standard library only."""

from __future__ import annotations

import base64
import binascii

KEY_BYTES = 32


def decode_key(text: str, what: str = "public key") -> bytes:
    """The 32 bytes of a key. Raises ValueError, which never repeats the text (it may be a secret)."""
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raw = b""
    if len(raw) != KEY_BYTES or encode_key(raw) != text:
        raise ValueError(f"a {what} is 44 base64 characters (32 bytes)")
    return raw


def encode_key(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def check_public_key(text: str) -> str:
    """The text itself if it is a usable public key. Raises ValueError otherwise."""
    if not any(decode_key(text)):
        raise ValueError("a public key is not all zeros")
    return text
