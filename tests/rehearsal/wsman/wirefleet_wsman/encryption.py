# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Message encryption of WinRM over plain HTTP: one encrypted SOAP message in a multipart body.

The "MIME" of this body is Microsoft's own: the boundary line has no blank line after its headers and the
payload is a four-byte little-endian length, the signature of that length, and the sealed message.
Source: MS-WSMV 2.2.9.1.
"""

from __future__ import annotations

import re
import struct
from typing import Protocol

PROTOCOL = "application/HTTP-SPNEGO-session-encrypted"
CONTENT_TYPE = f'multipart/encrypted;protocol="{PROTOCOL}";boundary="Encrypted Boundary"'

_BOUNDARY = b"--Encrypted Boundary\r\n"
_END = b"--Encrypted Boundary--\r\n"
_OCTETS = b"\tContent-Type: application/octet-stream\r\n"
_HEAD = re.compile(
    rb"^\s*Content-Type:\s*application/HTTP-SPNEGO-session-encrypted\s*\r\n"
    rb"\s*OriginalContent:\s*type=[^;\r\n]+;\s*charset=[^;\r\n]+;\s*Length=(\d{1,9})\s*$"
)


class EncryptionError(Exception):
    """The body is not an encrypted message of this session."""


class Sealed(Protocol):
    """What an NTLM session can do with messages."""

    def seal(self, message: bytes) -> tuple[bytes, bytes]: ...
    def unseal(self, signature: bytes, sealed: bytes) -> bytes: ...


def is_encrypted(content_type: str) -> bool:
    """Whether a request says that its body is encrypted."""
    return content_type.lower().startswith("multipart/encrypted")


def decrypt(body: bytes, session: Sealed) -> bytes:
    """The message in a body. Raises EncryptionError when it is malformed, altered or of another session."""
    if not body.startswith(_BOUNDARY) or not body.endswith(_END):
        raise EncryptionError("no encrypted boundary")
    head, found, payload = body[len(_BOUNDARY) : -len(_END)].partition(_BOUNDARY)
    match = _HEAD.match(head)
    if not found or match is None or not payload.startswith(_OCTETS):
        raise EncryptionError("malformed multipart body")
    data = payload[len(_OCTETS) :]
    if len(data) < 4:
        raise EncryptionError("no signature")
    (size,) = struct.unpack_from("<I", data)
    if size > 64 or size > len(data) - 4:
        raise EncryptionError("signature of a wrong size")
    message = session.unseal(data[4 : 4 + size], data[4 + size :])
    if len(message) != int(match.group(1)):
        raise EncryptionError("the message is not as long as announced")
    return message


def encrypt(message: bytes, session: Sealed) -> bytes:
    """The body that carries a message."""
    signature, sealed = session.seal(message)
    return b"".join(
        (
            _BOUNDARY,
            f"\tContent-Type: {PROTOCOL}\r\n".encode(),
            f"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={len(message)}\r\n".encode(),
            _BOUNDARY,
            _OCTETS,
            struct.pack("<I", len(signature)),
            signature,
            sealed,
            _END,
        )
    )
