# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A peer: what is configured about it, what was learned, and the state that only the core touches."""

from __future__ import annotations

import math
from collections import deque

from ..drops import DropReason
from ..keys import PresharedKey, PublicKey
from ..wire import Endpoint, LocalAddress
from . import tai64n
from .allowed_ips import AllowedIps, Prefix
from .constants import STAGED_PACKETS
from .cookies import CookieGenerator
from .environment import Environment
from .handshake import Handshake
from .session import SessionSlots
from .timers import PeerTimers


class Peer:
    """Made by ``Device.add_peer``; changed through the device only. Compares and hashes by identity.

    tx_bytes, rx_bytes: bytes of authenticated datagrams, headers and handshakes included, as ``wg show`` counts them.
    last_handshake: monotonic seconds, None never. last_handshake_wall: (seconds, nanoseconds) since the epoch, (0, 0)
    never. handshake_endpoint: where it showed the peer to be: where our initiation went, or theirs came from.
    local: the sticky source address (checklist 35). may_initiate_at: no initiation before this moment.
    initiated_to: where the last one went. staged: packets that wait for a session, None as long as there are none.
    """

    __slots__ = (
        "__weakref__",
        "_allowed_ips",
        "cookies",
        "endpoint",
        "environment",
        "handshake",
        "handshake_endpoint",
        "initiated_to",
        "last_handshake",
        "last_handshake_wall",
        "local",
        "may_initiate_at",
        "public_key",
        "rx_bytes",
        "rx_datagrams",
        "sessions",
        "staged",
        "timers",
        "tx_bytes",
        "tx_datagrams",
    )

    def __init__(self, public_key: PublicKey, environment: Environment, allowed_ips: AllowedIps) -> None:
        self.public_key = public_key
        self.environment = environment
        self._allowed_ips = allowed_ips
        self.staged: deque[bytes] | None = None
        self.endpoint: Endpoint | None = None
        self.local: LocalAddress | None = None
        self.cookies = CookieGenerator(public_key)
        self.handshake = Handshake(public_key)
        self.handshake.set_identity(environment.identity)
        self.sessions = SessionSlots(environment.indices)
        self.timers = PeerTimers(self, environment.timers, environment.jitter)
        self.may_initiate_at = -math.inf
        self.last_handshake: float | None = None
        self.last_handshake_wall = (0, 0)
        self.handshake_endpoint: Endpoint | None = None
        self.initiated_to: Endpoint | None = None
        self.tx_bytes = 0
        self.rx_bytes = 0
        self.tx_datagrams = 0
        self.rx_datagrams = 0

    @property
    def preshared_key(self) -> PresharedKey | None:
        return self.handshake.preshared_key

    @property
    def persistent_keepalive_s(self) -> int:
        """Seconds, 0 is off."""
        return self.timers.persistent_keepalive_s

    @property
    def allowed_ips(self) -> tuple[Prefix, ...]:
        return self._allowed_ips.prefixes_of(self)

    @property
    def is_running(self) -> bool:
        """The interface is up and the peer has not been removed."""
        return self.timers.is_running

    @property
    def staged_packets(self) -> int:
        """Packets that wait for a session."""
        return len(self.staged) if self.staged else 0

    def has_session(self, now: float) -> bool:
        """Whether a packet could be sealed right now."""
        session = self.sessions.current
        return session is not None and session.can_send(1, now)

    def start(self) -> None:
        """The interface came up, or the peer was added to one that is."""
        self.may_initiate_at = -math.inf
        self.timers.start()

    def stop(self) -> None:
        """Stop the timers, then wipe the keys (checklist 23, 39)."""
        self.timers.stop()
        self.environment.initiations.forget(self)
        self.wipe(DropReason.PEER_STOPPED)

    def stage(self, packet: bytes) -> None:
        """Keep a packet until there is a session; the oldest gives way (checklist 31)."""
        if self.staged is None:
            self.staged = deque()
        if len(self.staged) >= STAGED_PACKETS:
            self.staged.popleft()
            self.environment.drops[DropReason.STAGED_OVERFLOW] += 1
        self.staged.append(packet)

    def next_staged(self) -> bytes:
        """Take the oldest staged packet."""
        assert self.staged
        packet = self.staged.popleft()
        if not self.staged:
            self.staged = None
        return packet

    def flush_staged(self, reason: DropReason) -> None:
        """Drop the staged packets, counted."""
        if self.staged:
            self.environment.drops[reason] += len(self.staged)
        self.staged = None

    def wipe(self, reason: DropReason) -> None:
        """Let go of all keys and of the staged packets, which are counted as dropped for ``reason``."""
        self.sessions.wipe()
        self.abandon_handshake()
        self.flush_staged(reason)

    def abandon_handshake(self) -> None:
        if self.handshake.local_index is not None:
            self.environment.indices.release(self.handshake.local_index)
        self.handshake.clear()

    def expire_sessions(self) -> None:
        """Our private key changed: nothing is sent under the old sessions, and a handshake may start at once."""
        self.abandon_handshake()
        self.may_initiate_at = -math.inf
        self.sessions.forbid_sending()

    def mark_handshake(self, now: float, *, is_initiator: bool) -> None:
        self.last_handshake = now
        # An answer may come from another address than the one that was called.
        self.handshake_endpoint = self.initiated_to if is_initiator else self.endpoint
        self.last_handshake_wall = tai64n.wall_time(self.environment.tai64n_now())

    def retire(self) -> None:
        """The stopped peer is removed for good. Its preshared key stays: the configuration may own the object."""
        self.handshake.wipe_static()
        self.cookies.wipe()
        self.timers.retire()

    def __repr__(self) -> str:
        return f"Peer({self.public_key})"
