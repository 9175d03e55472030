# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Key types. A secret key has no readable repr, str, format, JSON or pickle.

Python cannot promise that a secret leaves memory (objects are copied, the allocator reuses pages): wiping is
best effort. ``wipe()`` zeroes the one buffer that this object owns.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import NoReturn, Self

KEY_BYTES = 32


def _decode_base64(text: str, what: str) -> bytes:
    """32 bytes from WireGuard's canonical base64 (44 characters, the unused bits zero). Raises ValueError."""
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raw = b""
    if len(raw) != KEY_BYTES or base64.b64encode(raw).decode("ascii") != text:
        raise ValueError(f"a {what} is 44 base64 characters (32 bytes)")
    return raw


def _decode_hex(text: str, what: str) -> bytes:
    if len(text) != 2 * KEY_BYTES or not text.isascii() or not text.isalnum():
        raise ValueError(f"a {what} is 64 hexadecimal digits")
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ValueError(f"a {what} is 64 hexadecimal digits") from None


class PublicKey:
    """An X25519 public key (RFC 7748); hashable, ordered by its bytes, freely printable."""

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes | bytearray | memoryview) -> None:
        if len(raw) != KEY_BYTES:
            raise ValueError("a public key is 32 bytes")
        self._raw = bytes(raw)

    @classmethod
    def from_base64(cls, text: str) -> Self:
        return cls(_decode_base64(text, "public key"))

    @classmethod
    def from_hex(cls, text: str) -> Self:
        return cls(_decode_hex(text, "public key"))

    @property
    def raw(self) -> bytes:
        return self._raw

    def hex(self) -> str:
        return self._raw.hex()

    def __str__(self) -> str:
        return base64.b64encode(self._raw).decode("ascii")

    def __repr__(self) -> str:
        return f"PublicKey({self})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self._raw == other._raw

    def __lt__(self, other: PublicKey) -> bool:
        return self._raw < other._raw

    def __hash__(self) -> int:
        return hash(self._raw)


class _SecretKey:
    """32 secret bytes in a buffer of their own; revealed only by the methods called ``reveal_*``."""

    __slots__ = ("_buffer",)
    _what = "secret key"

    def __init__(self, raw: bytes | bytearray | memoryview) -> None:
        if len(raw) != KEY_BYTES:
            raise ValueError(f"a {self._what} is 32 bytes")
        self._buffer = bytearray(raw)

    @classmethod
    def from_base64(cls, text: str) -> Self:
        return cls(_decode_base64(text, cls._what))

    @classmethod
    def from_hex(cls, text: str) -> Self:
        return cls(_decode_hex(text, cls._what))

    def reveal_bytes(self) -> bytes:
        return bytes(self._buffer)

    def reveal_base64(self) -> str:
        return base64.b64encode(self._buffer).decode("ascii")

    def reveal_hex(self) -> str:
        return self._buffer.hex()

    @property
    def is_zero(self) -> bool:
        """32 zero bytes mean "none" in the UAPI and in the handshake (checklist 3, 41)."""
        return not any(self._buffer)

    def wipe(self) -> None:
        """Zero the buffer; best effort, see the module's docstring."""
        self._buffer[:] = bytes(KEY_BYTES)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and hmac.compare_digest(self._buffer, other._buffer)

    __hash__ = None  # type: ignore[assignment]  # a secret is no dictionary key

    def __repr__(self) -> str:
        return f"{type(self).__name__}(redacted)"

    def __str__(self) -> str:
        return "(redacted)"

    def __format__(self, spec: str) -> str:
        return format("(redacted)", spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {self._what} is never serialized")

    def __bytes__(self) -> NoReturn:
        raise TypeError(f"a {self._what} is revealed by reveal_bytes() only")


class PrivateKey(_SecretKey):
    """An X25519 private key, kept as given (clamping is the scalar multiplication's, RFC 7748 section 5)."""

    __slots__ = ()
    _what = "private key"


class PresharedKey(_SecretKey):
    """A symmetric pre-shared key, mixed into the handshake (WireGuard paper 5.2)."""

    __slots__ = ()
    _what = "preshared key"


class ClusterKey(_SecretKey):
    """What the hubs of a cluster authenticate each other with; the same on all of them."""

    __slots__ = ()
    _what = "cluster key"
