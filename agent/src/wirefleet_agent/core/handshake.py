# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The Noise_IKpsk2 handshake of one peer, both roles (WireGuard paper 5.4.2, 5.4.3, 5.4.5).

Theory. The initiator knows the responder's static key and sends (e, es, s, ss); the responder answers
(e, ee, se, psk). Each side keeps a running hash of everything said and a chaining key into which each
Diffie-Hellman result is mixed; every ciphertext authenticates the hash so far. Two rules keep it safe:

* nothing is written to the handshake before the last AEAD of a message has succeeded (checklist 8), so a
  forged message leaves a running handshake as it was;
* there are no roles to lock: an initiation may be created or consumed in every state, and the later one
  overwrites. Two peers that initiate at the same moment therefore converge (checklist 10).

The stamp of the last accepted initiation outlives everything but the peer itself, it is what stops replays.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, NamedTuple

from ..crypto import Aead, AuthenticationFailed, StaticIdentity, ZeroSharedSecret, blake2s, kdf
from ..drops import DropReason
from ..errors import InternalError, PacketDropped
from ..keys import PresharedKey, PrivateKey, PublicKey
from ..wire import Initiation, Response
from . import tai64n
from .constants import CONSTRUCTION, IDENTIFIER, INITIATION_MIN_INTERVAL_S

_INITIAL_CHAINING_KEY: Final = blake2s(CONSTRUCTION)
_INITIAL_HASH: Final = blake2s(_INITIAL_CHAINING_KEY, IDENTIFIER)
_ZERO_NONCE: Final = bytes(12)
_NO_PRESHARED_KEY: Final = bytes(32)
_NOTHING: Final = bytearray()  # shared by all idle handshakes; replaced, never written to


class HandshakeState(Enum):
    IDLE = auto()
    INITIATION_CREATED = auto()
    INITIATION_CONSUMED = auto()
    RESPONSE_CREATED = auto()
    RESPONSE_CONSUMED = auto()


class HandshakeEvent(Enum):
    CREATE_INITIATION = auto()
    CONSUME_INITIATION = auto()
    CREATE_RESPONSE = auto()
    CONSUME_RESPONSE = auto()
    BEGIN_SESSION = auto()
    CLEAR = auto()


_S = HandshakeState
_E = HandshakeEvent
TRANSITIONS: Final = {
    **{(state, _E.CREATE_INITIATION): _S.INITIATION_CREATED for state in _S},
    **{(state, _E.CONSUME_INITIATION): _S.INITIATION_CONSUMED for state in _S},
    **{(state, _E.CLEAR): _S.IDLE for state in _S},
    (_S.INITIATION_CONSUMED, _E.CREATE_RESPONSE): _S.RESPONSE_CREATED,
    (_S.INITIATION_CREATED, _E.CONSUME_RESPONSE): _S.RESPONSE_CONSUMED,
    (_S.RESPONSE_CREATED, _E.BEGIN_SESSION): _S.IDLE,
    (_S.RESPONSE_CONSUMED, _E.BEGIN_SESSION): _S.IDLE,
}


class SessionKeys(NamedTuple):
    """What a finished handshake leaves: keys by direction, as seen from this side."""

    is_initiator: bool
    local_index: int
    remote_index: int
    send_key: bytes
    receive_key: bytes

    def __repr__(self) -> str:
        return "SessionKeys(redacted)"


class InitiationOpened(NamedTuple):
    """An initiation after its first half (e, es, s): who claims to have sent it, and the state to go on from."""

    message: Initiation
    remote_static: bytes
    chaining_key: bytes
    hash: bytes

    def __repr__(self) -> str:
        return "InitiationOpened(redacted)"


def open_initiation(message: Initiation, identity: StaticIdentity) -> InitiationOpened:
    """The first half of consuming an initiation: learn the initiator's static key, touch no peer.

    Raises PacketDropped(LOW_ORDER_KEY | BAD_HANDSHAKE).
    """
    transcript = blake2s(_INITIAL_HASH, identity.public_key.raw)
    transcript = blake2s(transcript, message.ephemeral)
    (chaining_key,) = kdf(1, _INITIAL_CHAINING_KEY, message.ephemeral)
    chaining_key, key = kdf(2, chaining_key, _exchange(identity, message.ephemeral))
    remote_static = _open(key, message.encrypted_static, transcript)
    transcript = blake2s(transcript, message.encrypted_static)
    return InitiationOpened(message, remote_static, chaining_key, transcript)


class Handshake:
    """One peer's handshake. ``local_index`` is None while no message of ours waits for its answer."""

    __slots__ = (
        "_chaining_key",
        "_ephemeral",
        "_hash",
        "_identity",
        "_last_consumed_at",
        "_last_sent_stamp",
        "_last_stamp",
        "_remote_ephemeral",
        "_remote_index",
        "_remote_static",
        "_static_static",
        "local_index",
        "preshared_key",
        "state",
    )

    def __init__(self, remote_static: PublicKey) -> None:
        self._remote_static = remote_static.raw
        # Ours, until the static-static secret has been computed with it.
        self._identity: StaticIdentity | None = None
        self._static_static = _NOTHING
        self.preshared_key: PresharedKey | None = None
        self.state = HandshakeState.IDLE
        self.local_index: int | None = None
        self._remote_index = 0
        self._ephemeral: StaticIdentity | None = None
        self._remote_ephemeral = b""
        self._chaining_key = _NOTHING
        self._hash = _NOTHING
        self._last_stamp = tai64n.NEVER
        self._last_sent_stamp = tai64n.NEVER
        self._last_consumed_at = float("-inf")

    @property
    def is_usable(self) -> bool:
        """False without a private key of ours, or if the static-static result is all zero (checklist 2)."""
        return bool(self._static_secret())

    def set_identity(self, identity: StaticIdentity | None) -> None:
        """Use our (new) private key from now on (checklist 17).

        The static-static secret is computed when it is needed first: for ten thousand peers at once it would take
        half a second, in which no packet moves.
        """
        _zero(self._static_static)
        self._static_static = _NOTHING
        self._identity = identity

    def create_initiation(
        self, identity: StaticIdentity, ephemeral: PrivateKey, index: int, wall_stamp: bytes
    ) -> Initiation:
        """Messages e, es, s, ss. index: freshly allocated, kept in ``local_index``. wall_stamp: TAI64N now, unmasked.

        Requires ``is_usable``: a point of small order gives zero with every key, so no exchange here can fail.
        """
        pair = StaticIdentity(ephemeral)
        stamp = tai64n.masked_after(wall_stamp, self._last_sent_stamp)
        transcript = blake2s(_INITIAL_HASH, self._remote_static)
        transcript = blake2s(transcript, pair.public_key.raw)
        (chaining_key,) = kdf(1, _INITIAL_CHAINING_KEY, pair.public_key.raw)
        chaining_key, key = kdf(2, chaining_key, _exchange(pair, self._remote_static))
        encrypted_static = Aead(key).encrypt(_ZERO_NONCE, identity.public_key.raw, transcript)
        transcript = blake2s(transcript, encrypted_static)
        chaining_key, key = kdf(2, chaining_key, self._static_secret())
        encrypted_timestamp = Aead(key).encrypt(_ZERO_NONCE, stamp, transcript)
        transcript = blake2s(transcript, encrypted_timestamp)

        self._move(HandshakeEvent.CREATE_INITIATION)
        self._last_sent_stamp = stamp
        self._keep(chaining_key, transcript)
        self._keep_ephemeral(pair)
        self.local_index = index
        return Initiation(index, pair.public_key.raw, encrypted_static, encrypted_timestamp)

    def consume_initiation(self, opened: InitiationOpened, now: float) -> None:
        """The second half (ss, timestamp) of an initiation that claims to be this peer's.

        Raises PacketDropped(LOW_ORDER_KEY | BAD_HANDSHAKE | REPLAYED_INITIATION | INITIATION_FLOOD); nothing
        has changed then.
        """
        static_secret = self._static_secret()
        if not static_secret:
            raise PacketDropped(DropReason.LOW_ORDER_KEY)
        message = opened.message
        chaining_key, key = kdf(2, opened.chaining_key, static_secret)
        stamp = _open(key, message.encrypted_timestamp, opened.hash)
        transcript = blake2s(opened.hash, message.encrypted_timestamp)
        if stamp <= self._last_stamp:
            raise PacketDropped(DropReason.REPLAYED_INITIATION)
        if now - self._last_consumed_at <= INITIATION_MIN_INTERVAL_S:
            raise PacketDropped(DropReason.INITIATION_FLOOD)

        self._move(HandshakeEvent.CONSUME_INITIATION)
        self._last_stamp = stamp
        self._last_consumed_at = now
        self._remote_index = message.sender_index
        self._remote_ephemeral = message.ephemeral
        self._keep(chaining_key, transcript)

    def create_response(self, ephemeral: PrivateKey, index: int) -> Response:
        """Messages e, ee, se, psk to the initiation just consumed, which has proven both of the peer's keys."""
        pair = StaticIdentity(ephemeral)
        transcript = blake2s(self._hash, pair.public_key.raw)
        (chaining_key,) = kdf(1, self._chaining_key, pair.public_key.raw)
        (chaining_key,) = kdf(1, chaining_key, _exchange(pair, self._remote_ephemeral))
        (chaining_key,) = kdf(1, chaining_key, _exchange(pair, self._remote_static))
        chaining_key, tau, key = kdf(3, chaining_key, self._preshared())
        transcript = blake2s(transcript, tau)
        encrypted_nothing = Aead(key).encrypt(_ZERO_NONCE, b"", transcript)
        transcript = blake2s(transcript, encrypted_nothing)

        self._move(HandshakeEvent.CREATE_RESPONSE)
        self._keep(chaining_key, transcript)
        self._keep_ephemeral(pair)
        self.local_index = index
        return Response(index, self._remote_index, pair.public_key.raw, encrypted_nothing)

    def consume_response(self, message: Response, identity: StaticIdentity) -> None:
        """The answer to our initiation.

        Raises PacketDropped(UNEXPECTED_RESPONSE | LOW_ORDER_KEY | BAD_HANDSHAKE); nothing has changed then.
        """
        if self.state is not HandshakeState.INITIATION_CREATED or self._ephemeral is None:
            raise PacketDropped(DropReason.UNEXPECTED_RESPONSE)
        transcript = blake2s(self._hash, message.ephemeral)
        (chaining_key,) = kdf(1, self._chaining_key, message.ephemeral)
        (chaining_key,) = kdf(1, chaining_key, _exchange(self._ephemeral, message.ephemeral))
        (chaining_key,) = kdf(1, chaining_key, _exchange(identity, message.ephemeral))
        chaining_key, tau, key = kdf(3, chaining_key, self._preshared())
        transcript = blake2s(transcript, tau)
        _open(key, message.encrypted_nothing, transcript)
        transcript = blake2s(transcript, message.encrypted_nothing)

        self._move(HandshakeEvent.CONSUME_RESPONSE)
        self._remote_index = message.sender_index
        self._keep(chaining_key, transcript)

    def begin_session(self) -> SessionKeys:
        """Derive the transport keys and forget the handshake; its index belongs to the session from now on."""
        is_initiator = self.state is HandshakeState.RESPONSE_CONSUMED
        self._move(HandshakeEvent.BEGIN_SESSION)
        assert self.local_index is not None
        initiator_key, responder_key = kdf(2, self._chaining_key, b"")
        send_key, receive_key = (initiator_key, responder_key) if is_initiator else (responder_key, initiator_key)
        keys = SessionKeys(is_initiator, self.local_index, self._remote_index, send_key, receive_key)
        self._forget()
        return keys

    def clear(self) -> None:
        """Abandon whatever is under way. The caller releases ``local_index`` first."""
        self._move(HandshakeEvent.CLEAR)
        self._forget()

    def wipe_static(self) -> None:
        """Zero the static-static secret; the peer is unusable from now on."""
        self.set_identity(None)

    def _static_secret(self) -> bytearray:
        """Empty if the peer is unusable."""
        if self._identity is not None:
            identity, self._identity = self._identity, None
            try:
                self._static_static = bytearray(identity.exchange(self._remote_static))
            except ZeroSharedSecret:
                self._static_static = _NOTHING
        return self._static_static

    def _move(self, event: HandshakeEvent) -> None:
        try:
            self.state = TRANSITIONS[self.state, event]
        except KeyError:
            raise InternalError(f"handshake event {event.name} in state {self.state.name}") from None

    def _keep(self, chaining_key: bytes, transcript: bytes) -> None:
        _zero(self._chaining_key)
        self._chaining_key = bytearray(chaining_key)
        self._hash = bytearray(transcript)

    def _keep_ephemeral(self, pair: StaticIdentity | None) -> None:
        if self._ephemeral is not None:
            self._ephemeral.private_key.wipe()
        self._ephemeral = pair

    def _forget(self) -> None:
        _zero(self._chaining_key)
        _zero(self._hash)
        self._chaining_key = _NOTHING
        self._hash = _NOTHING
        self._keep_ephemeral(None)
        self._remote_ephemeral = b""
        self.local_index = None

    def _preshared(self) -> bytes:
        return _NO_PRESHARED_KEY if self.preshared_key is None else self.preshared_key.reveal_bytes()


def _exchange(identity: StaticIdentity, public: bytes) -> bytes:
    try:
        return identity.exchange(public)
    except ZeroSharedSecret:
        raise PacketDropped(DropReason.LOW_ORDER_KEY) from None


def _open(key: bytes, ciphertext: bytes, transcript: bytes) -> bytes:
    try:
        return Aead(key).decrypt(_ZERO_NONCE, ciphertext, transcript)
    except AuthenticationFailed:
        raise PacketDropped(DropReason.BAD_HANDSHAKE) from None


def _zero(buffer: bytearray) -> None:
    buffer[:] = bytes(len(buffer))
