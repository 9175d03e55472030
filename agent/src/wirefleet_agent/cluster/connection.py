# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Who the hubs are to each other, and what is known of one connection between two of them."""

from __future__ import annotations

import base64
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.fernet import Fernet

from ..keys import PublicKey

MAX_FRAME_BYTES = 4 * 1024 * 1024
_MAX_UNKNOWN_FRAME_BYTES = 1024
NONCE_BYTES = 16


@dataclass(frozen=True)
class Member:
    """One hub of the cluster. address: numeric, on the overlay."""

    key: PublicKey
    address: str
    port: int

    @property
    def name(self) -> str:
        """What PySyncObj calls it; stays when its address changes."""
        return str(self.key)


@dataclass
class TransportCounters:
    """Why connections and messages were refused; read by ``status``."""

    strangers: int = 0
    not_authentic: int = 0
    malformed: int = 0
    refused_pickles: int = 0


@dataclass(frozen=True)
class TransportSettings:
    """What ``MemberTransport`` needs besides what PySyncObj gives.

    sync: put the log on the disk. superfluous: the index of a snapshot's last entry if the log has it, None if the
    snapshot is needed; raises JournalDamaged for one that is none.
    """

    own: Member
    others: tuple[Member, ...]
    fernet: Fernet
    sync: Callable[[], None]
    superfluous: Callable[[bytes], int | None]
    counters: TransportCounters = field(default_factory=TransportCounters)


class Connection:
    """One TCP connection; ``member`` is known to callers, and to the called once HELLO has come."""

    def __init__(self, sock: socket.socket, member: Member | None, now: float, *, is_caller: bool, source: str) -> None:
        self.socket = sock
        self.fileno = sock.fileno()
        self.member = member
        self.is_caller = is_caller
        self.source = source
        self.is_connecting = is_caller
        self.is_ready = False
        self.began = self.heard = now
        self.pinged = now
        self.nonce = os.urandom(NONCE_BYTES)
        self.peer_nonce: bytes | None = None
        self.sent = self.received = 0
        self.unread = bytearray()
        self.unsent = bytearray()
        self.snapshot: bytearray | None = None

    @property
    def frame_limit(self) -> int:
        return MAX_FRAME_BYTES if self.is_ready else _MAX_UNKNOWN_FRAME_BYTES


def fernet_of(key: bytes) -> Fernet:
    """key: the cluster's 32 random bytes; no password is stretched here, since it is none."""
    return Fernet(base64.urlsafe_b64encode(key))
