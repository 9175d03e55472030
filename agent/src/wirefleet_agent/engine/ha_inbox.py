# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""From a datagram on a heartbeat socket to a message of a known peer; what is refused is counted by its reason.

=================  ================================================================================
unknown_source     no peer has this overlay address
wrong_port         not from the port that the peer's agent holds: another program on that host
rate_limited       more than 128 requests per second of one peer
malformed          not a heartbeat, see ``ha.messages``
unknown_version    of a later version
unexpected_reply   to nothing that was asked, or too late
not_allowed        claims of a peer that is no hub
=================  ================================================================================
"""

from __future__ import annotations

from collections import Counter

from ..drivers.interfaces import Heartbeat
from ..ha.answer_limit import AnswerLimit
from ..ha.messages import Message, MessageInvalid, Request, parse
from ..keys import PublicKey
from .ha_settings import HaSettings

UNEXPECTED_REPLY = "unexpected_reply"
NOT_ALLOWED = "not_allowed"


class Inbox:
    """dropped: where refusals are counted."""

    def __init__(self, dropped: Counter[str]) -> None:
        self._dropped = dropped
        self._keys: dict[bytes, PublicKey] = {}
        self._limits: dict[PublicKey, AnswerLimit] = {}
        self._port = 0

    def configure(self, settings: HaSettings, now: float) -> None:
        self._port = settings.port
        self._keys = {address: key for key, addresses in settings.addresses.items() for address in addresses}
        self._limits = {key: self._limits.get(key) or AnswerLimit(now) for key in settings.addresses}

    def accept(self, heartbeat: Heartbeat, now: float) -> tuple[PublicKey, Message] | None:
        """Who says what; None: refused."""
        key = self._keys.get(heartbeat.source)
        if key is None:
            self._dropped["unknown_source"] += 1
            return None
        if heartbeat.source_port != self._port:
            self._dropped["wrong_port"] += 1
            return None
        try:
            message = parse(heartbeat.payload)
        except MessageInvalid as error:
            self._dropped[error.fault.value] += 1
            return None
        if isinstance(message, Request) and not self._limits[key].allow(now):
            self._dropped["rate_limited"] += 1
            return None
        return key, message
