# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Everything a peer sends: handshake messages, keepalives, staged packets; and what its timers make it send.

Initiations wait for their turn, so that a moment at which thousands are due does not hold up data; one alone is sent
with the next ``poll``. Two things wireguard-go leaves to chance:

* An initiation that may not be sent yet, because an initiation or a response went out less than 5 s ago (checklist
  18), is owed and not forgotten: if nothing else will retry, the retransmit timer does.
* Initiations that cross on the way overwrite each other, and both responses find nothing to answer (checklist
  10). If the way takes longer than the jitter, both sides would go on crossing for ever. So the side with the greater
  public key waits 5 s longer. No role is locked: whatever initiation comes first is answered.
"""

from __future__ import annotations

from ..drops import DropReason
from ..wire import pack_nonce, pack_transport_header, padded_length
from .constants import (
    MAX_INITIATIONS,
    REKEY_AFTER_MESSAGES,
    REKEY_AFTER_TIME_S,
    REKEY_TIMEOUT_S,
)
from .environment import Environment
from .events import HandshakeGaveUp, SendDatagram
from .peer import Peer
from .session import Session
from .timers import Timer


def send_initiation(peer: Peer, now: float, *, is_retry: bool = False, is_owed: bool = False) -> None:
    """Start a handshake unless one was started or answered within 5 s; the message is made when its turn comes.

    is_retry: do not reset the count of attempts. is_owed: make up for it after the 5 s although there is a session.
    """
    if not is_retry:
        peer.timers.handshake_attempts = 0
    if _may_initiate(peer, now, is_owed=is_owed):
        peer.environment.initiations.add(peer, is_owed=is_owed)


def send_waiting_initiations(environment: Environment, count: int, now: float) -> None:
    """Make the initiations whose turn it is, at most ``count``; asks again what may have changed while they waited."""
    queue = environment.initiations
    while count > 0 and len(queue):
        peer, is_owed = queue.take()
        if _may_initiate(peer, now, is_owed=is_owed):
            count -= 1
            if peer.handshake.is_usable:
                _initiate(peer, now)


def _may_initiate(peer: Peer, now: float, *, is_owed: bool) -> bool:
    """Whether the peer could be sent an initiation now; if it is only too early, the retransmit timer will do it."""
    if peer.environment.identity is None or peer.endpoint is None or not peer.is_running:
        return False
    if now >= peer.may_initiate_at:
        return True
    if (is_owed or not peer.has_session(now)) and not peer.timers.is_retransmit_pending:
        peer.timers.retransmit_after(peer.may_initiate_at)
    return False


def _initiate(peer: Peer, now: float) -> None:
    environment = peer.environment
    identity = environment.identity
    assert identity is not None
    peer.may_initiate_at = now + REKEY_TIMEOUT_S
    index_before = peer.handshake.local_index
    index = environment.indices.allocate(peer)
    message = peer.handshake.create_initiation(
        identity, environment.new_ephemeral(), index, environment.tai64n_now()
    ).build()
    if index_before is not None:
        environment.indices.release(index_before)
    peer.initiated_to = peer.endpoint
    _send_handshake_message(peer, message, now)
    peer.timers.retransmit_after(peer.may_initiate_at)


def send_response(peer: Peer, now: float, *, has_crossed: bool) -> None:
    """Answer the initiation that the peer's handshake has just consumed, and begin the session.

    has_crossed: it overwrote an initiation of ours.
    """
    environment = peer.environment
    peer.may_initiate_at = now + REKEY_TIMEOUT_S
    if has_crossed and environment.identity is not None and peer.public_key < environment.identity.public_key:
        peer.may_initiate_at += REKEY_TIMEOUT_S
    index_before = peer.handshake.local_index
    index = environment.indices.allocate(peer)
    message = peer.handshake.create_response(environment.new_ephemeral(), index).build()
    if index_before is not None:
        environment.indices.release(index_before)
    begin_session(peer, now)
    _send_handshake_message(peer, message, now)


def begin_session(peer: Peer, now: float) -> None:
    """Turn the finished handshake into a session in its slot."""
    keys = peer.handshake.begin_session()
    session = Session(
        peer,
        is_initiator=keys.is_initiator,
        local_index=keys.local_index,
        remote_index=keys.remote_index,
        send_key=keys.send_key,
        receive_key=keys.receive_key,
        now=now,
    )
    peer.environment.indices.promote(session)
    peer.sessions.add(session)
    peer.timers.session_derived(now)


def send_keepalive(peer: Peer, now: float) -> None:
    """Send what is staged, or else an empty packet; without a session, start a handshake."""
    if not peer.is_running:
        return
    if peer.staged:
        send_staged(peer, now)
        return
    session = peer.sessions.current
    if session is None or not session.can_send(1, now):
        send_initiation(peer, now)
    elif peer.endpoint is not None:
        _seal(peer, session, b"", now)


def send_staged(peer: Peer, now: float) -> None:
    """Seal the staged packets in order; where there is no session to do it with, start a handshake."""
    while peer.staged:
        session = peer.sessions.current
        if session is None or not session.can_send(1, now) or peer.endpoint is None:
            send_initiation(peer, now)
            return
        _seal(peer, session, peer.next_staged(), now)


def note_sent(peer: Peer, datagrams: int, wire_bytes: int, has_data: bool, now: float) -> None:
    """Timers, counters and rekeying after transport messages were sealed, by us or under a lease."""
    peer.timers.sent(now, has_data=has_data)
    peer.tx_bytes += wire_bytes
    peer.tx_datagrams += datagrams
    session = peer.sessions.current
    if session is not None and (
        session.send_counter > REKEY_AFTER_MESSAGES
        or (session.is_initiator and now - session.created_at > REKEY_AFTER_TIME_S)
    ):
        send_initiation(peer, now)


def rekey_after_receiving(peer: Peer, now: float) -> None:
    """The session's ``renewed_after`` is over: an initiator that only receives renews it, once (checklist 13)."""
    if not peer.timers.sent_last_minute_handshake:
        peer.timers.sent_last_minute_handshake = True
        send_initiation(peer, now)


def expire(peer: Peer, timer: Timer, now: float) -> None:
    """Do what one expired timer asks for."""
    if timer is Timer.RETRANSMIT_HANDSHAKE:
        _retransmit(peer, now)
    elif timer is Timer.SEND_KEEPALIVE:
        send_keepalive(peer, now)
        peer.timers.keepalive_fired(now)
    elif timer is Timer.NEW_HANDSHAKE:
        peer.local = None
        send_initiation(peer, now)
    elif timer is Timer.ZERO_KEY_MATERIAL:
        peer.wipe(DropReason.STAGED_EXPIRED)
    else:
        send_keepalive(peer, now)


def _retransmit(peer: Peer, now: float) -> None:
    timers = peer.timers
    if now < peer.may_initiate_at:
        # A response went out since: wait until an initiation is allowed. Not an attempt.
        timers.retransmit_after(peer.may_initiate_at)
        return
    if timers.handshake_attempts > MAX_INITIATIONS - 2:
        peer.flush_staged(DropReason.STAGED_EXPIRED)
        timers.gave_up(now)
        peer.environment.outputs.append(HandshakeGaveUp(peer))
        return
    timers.handshake_attempts += 1
    # The source address may be what is wrong (checklist 35).
    peer.local = None
    send_initiation(peer, now, is_retry=True)


def _send_handshake_message(peer: Peer, message: bytearray, now: float) -> None:
    peer.cookies.add_macs(message, now)
    peer.timers.sent(now, has_data=False)
    _emit(peer, bytes(message))
    peer.tx_bytes += len(message)
    peer.tx_datagrams += 1


def _seal(peer: Peer, session: Session, packet: bytes, now: float) -> None:
    counter = session.send_counter
    session.send_counter += 1
    padding = padded_length(len(packet), peer.environment.mtu_bytes) - len(packet)
    plaintext = packet + bytes(padding) if padding else packet
    sealed = session.send_aead.encrypt(pack_nonce(counter), plaintext, None)
    datagram = pack_transport_header(session.remote_index, counter) + sealed
    _emit(peer, datagram)
    note_sent(peer, 1, len(datagram), bool(packet), now)


def _emit(peer: Peer, datagram: bytes) -> None:
    assert peer.endpoint is not None
    peer.environment.outputs.append(SendDatagram(datagram, peer.endpoint, peer.local, peer))
