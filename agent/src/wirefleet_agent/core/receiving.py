# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Everything a device receives: the handshake queue with its defences, and what authenticated packets change.

Handshake messages wait in a bounded queue and are worked off a few per step, so that a flood of them cannot starve
data. A queue of 128 means "under load" for the next second: from then on a sender must prove with mac2 that it owns its
address, and each address gets 20 handshakes per second (checklist 24, 25).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from ..drops import DropReason
from ..errors import PacketDropped
from ..keys import PublicKey
from ..wire import CookieReply, Endpoint, Initiation, LocalAddress, MessageType, Response
from . import sending
from .constants import (
    HANDSHAKE_QUEUE_MESSAGES,
    UNDER_LOAD_MESSAGES,
    UNDER_LOAD_STICKY_S,
)
from .cookies import CookieChecker
from .environment import Environment
from .events import HandshakeCompleted, SendDatagram
from .handshake import HandshakeState, open_initiation
from .leases import OpenLease
from .peer import Peer
from .rate_limiter import RateLimiter


class _Waiting(NamedTuple):
    message: Initiation | Response | CookieReply
    datagram: bytes
    source: Endpoint
    local: LocalAddress | None


class HandshakeReceiver:
    """The queue of handshake messages of one device. waiting: those that are in it."""

    __slots__ = ("_checker", "_environment", "_limiter", "_peers", "_under_load_until", "waiting")

    def __init__(self, environment: Environment, peers: Mapping[PublicKey, Peer]) -> None:
        self._environment = environment
        self._peers = peers
        self.waiting: deque[_Waiting] = deque()
        self._limiter = RateLimiter()
        self._checker: CookieChecker | None = None
        self._under_load_until = float("-inf")

    def __len__(self) -> int:
        return len(self.waiting)

    def is_under_load(self, now: float) -> bool:
        return now < self._under_load_until

    def set_identity(self) -> None:
        """Our public key changed: MACs are checked against the new one."""
        identity = self._environment.identity
        self._checker = None if identity is None else CookieChecker(identity.public_key, self._environment.entropy)

    def clear(self) -> None:
        """The interface went down."""
        if self.waiting:
            self._environment.drops[DropReason.PEER_STOPPED] += len(self.waiting)
            self.waiting.clear()

    def enqueue(
        self, kind: MessageType, datagram: bytes, source: Endpoint, local: LocalAddress | None, now: float
    ) -> None:
        """Let a handshake message wait for its turn. Raises PacketDropped(MALFORMED_MESSAGE | HANDSHAKE_QUEUE_FULL)."""
        message: Initiation | Response | CookieReply
        if kind is MessageType.INITIATION:
            message = Initiation.parse(datagram)
        elif kind is MessageType.RESPONSE:
            message = Response.parse(datagram)
        else:
            message = CookieReply.parse(datagram)
        if len(self.waiting) >= HANDSHAKE_QUEUE_MESSAGES:
            raise PacketDropped(DropReason.HANDSHAKE_QUEUE_FULL)
        self.waiting.append(_Waiting(message, datagram, source, local))
        self._watch_load(now)

    def step(self, now: float, *, messages: int, handshakes: int) -> int:
        """Work off at most ``messages``, and of those that cost Diffie-Hellman operations at most ``handshakes``.

        Returns the number of the latter.
        """
        done = 0
        for _ in range(messages):
            if not self.waiting or done >= handshakes:
                break
            self._watch_load(now)
            waiting = self.waiting.popleft()
            try:
                if isinstance(waiting.message, CookieReply):
                    self._consume_cookie(waiting.message, now)
                    continue
                self._check_macs(waiting.message, waiting, now)
                done += 1
                if isinstance(waiting.message, Initiation):
                    self._consume_initiation(waiting.message, waiting, now)
                else:
                    self._consume_response(waiting.message, waiting, now)
            except PacketDropped as drop:
                self._environment.drops[drop.reason] += 1
        return done

    def _watch_load(self, now: float) -> None:
        if len(self.waiting) >= UNDER_LOAD_MESSAGES:
            self._under_load_until = now + UNDER_LOAD_STICKY_S

    def _check_macs(self, message: Initiation | Response, waiting: _Waiting, now: float) -> None:
        """What is cheap and comes before any Diffie-Hellman operation; raises PacketDropped."""
        checker = self._checker
        if checker is None or not checker.is_mac1_valid(waiting.datagram):
            raise PacketDropped(DropReason.BAD_MAC1)
        if not self.is_under_load(now):
            return
        if not checker.is_mac2_valid(waiting.datagram, waiting.source, now):
            reply = checker.create_reply(waiting.datagram, message.sender_index, waiting.source, now)
            self._environment.outputs.append(SendDatagram(reply, waiting.source, waiting.local, None))
            raise PacketDropped(DropReason.BAD_MAC2)
        if not self._limiter.allow(waiting.source, now):
            raise PacketDropped(DropReason.RATE_LIMITED)

    def _consume_cookie(self, reply: CookieReply, now: float) -> None:
        peer = self._environment.indices.peer_of(reply.receiver_index)
        if peer is None:
            raise PacketDropped(DropReason.UNKNOWN_INDEX)
        if not peer.cookies.is_reply_expected:
            raise PacketDropped(DropReason.UNEXPECTED_COOKIE)
        if not peer.cookies.consume_reply(reply, now):
            raise PacketDropped(DropReason.BAD_COOKIE)

    def _consume_initiation(self, message: Initiation, waiting: _Waiting, now: float) -> None:
        identity = self._environment.identity
        assert identity is not None
        opened = open_initiation(message, identity)
        peer = self._peers.get(PublicKey(opened.remote_static))
        if peer is None:
            raise PacketDropped(DropReason.UNKNOWN_PEER)
        has_crossed = peer.handshake.state is HandshakeState.INITIATION_CREATED
        peer.handshake.consume_initiation(opened, now)
        _note_handshake_received(peer, waiting, now)
        sending.send_response(peer, now, has_crossed=has_crossed)

    def _consume_response(self, message: Response, waiting: _Waiting, now: float) -> None:
        environment = self._environment
        assert environment.identity is not None
        peer = environment.indices.handshakes.get(message.receiver_index)
        if peer is None:
            is_session = message.receiver_index in environment.indices.sessions
            raise PacketDropped(DropReason.UNEXPECTED_RESPONSE if is_session else DropReason.UNKNOWN_INDEX)
        peer.handshake.consume_response(message, environment.identity)
        _note_handshake_received(peer, waiting, now)
        sending.begin_session(peer, now)
        _complete(peer, now, is_initiator=True)
        # Key confirmation: staged packets if there are any, else an empty one (checklist 9).
        sending.send_keepalive(peer, now)


def note_received(
    lease: OpenLease,
    source: Endpoint,
    local: LocalAddress | None,
    datagrams: int,
    wire_bytes: int,
    has_data: bool,
    now: float,
) -> None:
    """Roaming, key confirmation, timers and counters after transport messages were authenticated."""
    peer = lease.peer
    timers = peer.timers
    if not timers.is_running:
        return
    peer.endpoint = source
    peer.local = local
    peer.rx_bytes += wire_bytes
    peer.rx_datagrams += datagrams
    if peer.sessions.next is not None and peer.sessions.confirm(lease):
        _complete(peer, now, is_initiator=False)
    session = peer.sessions.current
    if session is not None and now > session.renewed_after:
        sending.rekey_after_receiving(peer, now)
    timers.received(now, has_data=has_data)
    if peer.staged:
        sending.send_staged(peer, now)


def _note_handshake_received(peer: Peer, waiting: _Waiting, now: float) -> None:
    peer.endpoint = waiting.source
    peer.local = waiting.local
    peer.rx_bytes += len(waiting.datagram)
    peer.rx_datagrams += 1
    peer.timers.received(now, has_data=False)


def _complete(peer: Peer, now: float, *, is_initiator: bool) -> None:
    peer.timers.handshake_complete()
    if peer.has_session(now):
        peer.environment.initiations.forget(peer)
    peer.mark_handshake(now, is_initiator=is_initiator)
    peer.environment.outputs.append(HandshakeCompleted(peer, is_initiator))
