# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What comes out of the core: the outputs of ``Device.poll``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..wire import Endpoint, LocalAddress
    from .peer import Peer


class SendDatagram(NamedTuple):
    """Send to the underlay. local: the sticky source, None lets the host choose. peer: None for a cookie reply."""

    datagram: bytes
    endpoint: Endpoint
    local: LocalAddress | None
    peer: Peer | None


class DeliverPacket(NamedTuple):
    """Hand one inner IP packet to the host; authenticated, truncated, its source checked."""

    packet: bytes
    peer: Peer


class HandshakeCompleted(NamedTuple):
    """A new session is in use: as initiator after the response, as responder after the key confirmation."""

    peer: Peer
    is_initiator: bool


class HandshakeGaveUp(NamedTuple):
    """20 initiations went unanswered; the staged packets were dropped (checklist 19)."""

    peer: Peer


Output = SendDatagram | DeliverPacket | HandshakeCompleted | HandshakeGaveUp
