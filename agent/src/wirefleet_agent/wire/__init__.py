# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Bytes and messages: WireGuard's messages, IP headers, underlay addresses, packet batches."""

from . import ip
from .endpoint import Endpoint, LocalAddress
from .messages import (
    COOKIE_REPLY_BYTES,
    INITIATION_BYTES,
    MAC1_OFFSET_FROM_END,
    MAC2_OFFSET_FROM_END,
    RESPONSE_BYTES,
    CookieReply,
    Initiation,
    MessageType,
    Response,
    message_type,
)
from .transport import (
    KEEPALIVE_BYTES,
    TAG_BYTES,
    TRANSPORT_HEADER_BYTES,
    TRANSPORT_OVERHEAD_BYTES,
    TRANSPORT_TYPE,
    pack_nonce,
    pack_transport_header,
    padded_length,
    unpack_transport_header,
)

__all__ = [
    "COOKIE_REPLY_BYTES",
    "INITIATION_BYTES",
    "KEEPALIVE_BYTES",
    "MAC1_OFFSET_FROM_END",
    "MAC2_OFFSET_FROM_END",
    "RESPONSE_BYTES",
    "TAG_BYTES",
    "TRANSPORT_HEADER_BYTES",
    "TRANSPORT_OVERHEAD_BYTES",
    "TRANSPORT_TYPE",
    "CookieReply",
    "Endpoint",
    "Initiation",
    "LocalAddress",
    "MessageType",
    "Response",
    "ip",
    "message_type",
    "pack_nonce",
    "pack_transport_header",
    "padded_length",
    "unpack_transport_header",
]
