# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Why a packet was dropped: one name per reason, counted where it happens."""

from __future__ import annotations

from enum import Enum


class DropReason(Enum):
    """Named reasons. The value is the name of the counter in ``status`` and metrics."""

    # malformed on the wire
    MALFORMED_MESSAGE = "malformed_message"
    UNKNOWN_MESSAGE_TYPE = "unknown_message_type"
    BAD_PACKET_VERSION = "bad_packet_version"
    BAD_PACKET_LENGTH = "bad_packet_length"
    # handshake
    BAD_MAC1 = "bad_mac1"
    BAD_MAC2 = "bad_mac2"
    UNKNOWN_PEER = "unknown_peer"
    UNKNOWN_INDEX = "unknown_index"
    BAD_HANDSHAKE = "bad_handshake"
    LOW_ORDER_KEY = "low_order_key"
    REPLAYED_INITIATION = "replayed_initiation"
    INITIATION_FLOOD = "initiation_flood"
    UNEXPECTED_RESPONSE = "unexpected_response"
    UNEXPECTED_COOKIE = "unexpected_cookie"
    BAD_COOKIE = "bad_cookie"
    RATE_LIMITED = "rate_limited"
    HANDSHAKE_QUEUE_FULL = "handshake_queue_full"
    # data
    BAD_TAG = "bad_tag"
    REPLAYED = "replayed"
    EXPIRED_KEY = "expired_key"
    WRONG_SOURCE = "wrong_source"
    NO_ROUTE_TO_PEER = "no_route_to_peer"
    NO_ENDPOINT = "no_endpoint"
    STAGED_OVERFLOW = "staged_overflow"
    STAGED_EXPIRED = "staged_expired"
    PEER_STOPPED = "peer_stopped"
    # sockets and interfaces
    UDP_SEND_FAILED = "udp_send_failed"
    TUN_WRITE_FAILED = "tun_write_failed"
