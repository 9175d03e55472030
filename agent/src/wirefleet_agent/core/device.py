# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The device: WireGuard as one sans-IO object.

Datagrams, packets, time and configuration come in; ``poll`` gives what is to be sent, delivered or told. It never
sends, sleeps, logs or spawns. Call ``poll`` after every call that takes ``now``, and ``advance`` at ``next_deadline``.
Every ``now`` is monotonic seconds and never goes back.

No call does more than a few milliseconds of handshakes or timers; what is left over makes ``next_deadline`` the
present. A loop that calls ``advance`` once per turn, after a bounded amount of data, starves neither.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from ..crypto import AuthenticationFailed, StaticIdentity
from ..drops import DropReason
from ..errors import PacketDropped, RefusedError
from ..keys import PresharedKey, PrivateKey, PublicKey
from ..wire import (
    TRANSPORT_HEADER_BYTES,
    Endpoint,
    LocalAddress,
    MessageType,
    ip,
    message_type,
    pack_nonce,
    unpack_transport_header,
)
from . import sending
from .allowed_ips import AllowedIps
from .constants import (
    EXPIRATIONS_PER_STEP,
    HANDSHAKES_PER_POLL,
    HANDSHAKES_PER_STEP,
    MAX_PEERS,
    MESSAGES_PER_POLL,
    MESSAGES_PER_STEP,
    REJECT_AFTER_MESSAGES,
)
from .environment import Entropy, Environment, Tai64nClock
from .events import DeliverPacket, Output
from .leases import OpenLease, SealLease
from .peer import Peer
from .receiving import HandshakeReceiver, note_received
from .timers import PeerTimers

_MAX_KEEPALIVE_S = 0xFFFF


class Device:
    """One WireGuard interface. It begins down, without a key and without peers.

    entropy(n): n random bytes. tai64n_now(): the wall clock, 12 bytes TAI64N; the core masks the nanoseconds itself.
    """

    def __init__(self, *, entropy: Entropy, tai64n_now: Tai64nClock) -> None:
        self._environment = Environment(entropy, tai64n_now)
        self._peers: dict[PublicKey, Peer] = {}
        self._handshakes = HandshakeReceiver(self._environment, self._peers)
        self._now = 0.0
        self.peers: Mapping[PublicKey, Peer] = MappingProxyType(self._peers)
        self.allowed_ips = AllowedIps()
        self.drops: Counter[DropReason] = self._environment.drops

    # Configuration

    @property
    def private_key(self) -> PrivateKey | None:
        identity = self._environment.identity
        return None if identity is None else identity.private_key

    @property
    def public_key(self) -> PublicKey | None:
        identity = self._environment.identity
        return None if identity is None else identity.public_key

    @property
    def is_up(self) -> bool:
        return self._environment.is_up

    @property
    def mtu_bytes(self) -> int:
        """The inner interface's MTU: padding never goes beyond it (checklist 28)."""
        return self._environment.mtu_bytes

    @mtu_bytes.setter
    def mtu_bytes(self, value: int) -> None:
        self._environment.mtu_bytes = value

    def is_under_load(self, now: float) -> bool:
        """Whether handshakes need a cookie now (checklist 24)."""
        return self._handshakes.is_under_load(now)

    @property
    def pending_handshakes(self) -> int:
        """Handshakes that wait for ``poll`` or ``advance``: messages of others, and initiations of ours."""
        return len(self._handshakes) + len(self._environment.initiations)

    def up(self, now: float) -> None:
        """The interface is up: peers start, persistent keepalives are sent at once. Idempotent."""
        self._now = now
        if self.is_up:
            return
        self._environment.is_up = True
        for peer in self._peers.values():
            self._start(peer, now)

    def down(self, now: float) -> None:
        """The interface is down: timers stop and sessions are wiped; configuration stays. Idempotent."""
        self._now = now
        if not self.is_up:
            return
        self._environment.is_up = False
        self._handshakes.clear()
        for peer in self._peers.values():
            peer.stop()

    def set_private_key(self, key: PrivateKey | None, now: float) -> None:
        """Change our identity (checklist 17); None or 32 zero bytes take it away, the same key changes nothing.

        A peer that is now ourselves is removed, no session sends again, and handshakes may start at once.
        """
        self._now = now
        if key is not None and key.is_zero:
            key = None
        if key == self.private_key:
            return
        # A copy of our own, so that the caller may wipe its key and we may wipe ours.
        identity = None if key is None else StaticIdentity(PrivateKey(key.reveal_bytes()))
        if identity is not None and identity.public_key in self._peers:
            self.remove_peer(identity.public_key, now)
        if self._environment.identity is not None:
            self._environment.identity.private_key.wipe()
        self._environment.identity = identity
        self._handshakes.set_identity()
        for peer in self._peers.values():
            peer.handshake.set_identity(identity)
            peer.expire_sessions()
        for peer in self._peers.values():
            if peer.staged_packets or peer.persistent_keepalive_s:
                sending.send_keepalive(peer, now)

    def add_peer(self, public_key: PublicKey, now: float) -> Peer:
        """A new peer; it starts if the interface is up.

        Raises ValueError for the device's own key or an existing peer, RefusedError beyond 65536 peers.
        """
        self._now = now
        if public_key == self.public_key:
            raise ValueError("a device is not its own peer")
        if public_key in self._peers:
            raise ValueError("the peer exists")
        if len(self._peers) >= MAX_PEERS:
            raise RefusedError(f"a device has at most {MAX_PEERS} peers", hint="remove some peers first")
        peer = self._peers[public_key] = Peer(public_key, self._environment, self.allowed_ips)
        if self.is_up:
            self._start(peer, now)
        return peer

    def remove_peer(self, public_key: PublicKey, now: float) -> None:
        """Routes first, then timers, keys and the peer itself (checklist 39); an unknown peer is no error."""
        self._now = now
        peer = self._peers.get(public_key)
        if peer is None:
            return
        self.allowed_ips.remove_all(peer)
        peer.stop()
        peer.retire()
        del self._peers[public_key]

    def set_preshared_key(self, peer: Peer, psk: PresharedKey | None, now: float) -> None:
        """For the next handshake; None or 32 zero bytes mean none (checklist 3)."""
        self._now = now
        peer.handshake.preshared_key = None if psk is None or psk.is_zero else psk

    def set_endpoint(self, peer: Peer, endpoint: Endpoint | None, now: float) -> None:
        """Where the peer is. A first endpoint starts what was waiting for it."""
        self._now = now
        had_endpoint = peer.endpoint is not None
        peer.endpoint = endpoint
        peer.local = None
        if not had_endpoint and endpoint is not None and (peer.staged_packets or peer.persistent_keepalive_s):
            sending.send_keepalive(peer, now)

    def set_persistent_keepalive(self, peer: Peer, interval_s: int, now: float) -> None:
        """0 is off; switching it on sends one at once (checklist 22). Raises ValueError beyond 65535."""
        self._now = now
        if not 0 <= interval_s <= _MAX_KEEPALIVE_S:
            raise ValueError(f"a keepalive interval is 0 to {_MAX_KEEPALIVE_S} s, not {interval_s}")
        was_off = peer.persistent_keepalive_s == 0
        peer.timers.set_persistent_keepalive(interval_s, now)
        if was_off and interval_s:
            sending.send_keepalive(peer, now)

    def start_handshake(self, peer: Peer, now: float) -> None:
        """Begin a new session, 5 s after the last attempt at the earliest; the old one goes on meanwhile."""
        self._now = now
        sending.send_initiation(peer, now, is_owed=True)

    def clear_sticky_sources(self) -> None:
        """After a rebind, an fwmark change or a route change: let the host choose sources anew (checklist 35)."""
        for peer in self._peers.values():
            peer.local = None

    # Packets, one at a time

    def receive_datagram(
        self, datagram: bytes | memoryview, source: Endpoint, local: LocalAddress | None, now: float
    ) -> None:
        """Any datagram from the underlay. It is borrowed until return; what is wrong with it is counted in ``drops``.

        Handshake messages only enter their queue here; ``poll`` and ``advance`` work it off in bounded steps.
        """
        self._now = now
        try:
            if not self.is_up:
                raise PacketDropped(DropReason.PEER_STOPPED)
            kind = message_type(datagram)
            if kind is MessageType.TRANSPORT:
                self._receive_transport(datagram, source, local, now)
            else:
                self._handshakes.enqueue(kind, bytes(datagram), source, local, now)
        except PacketDropped as drop:
            self.drops[drop.reason] += 1

    def send_packet(self, packet: bytes | memoryview, now: float) -> None:
        """One inner IP packet from the host: seal it, or stage it and start a handshake.

        Borrowed until return. Without a route, an endpoint or a usable key it is dropped and counted.
        """
        self._now = now
        try:
            if not self.is_up:
                raise PacketDropped(DropReason.PEER_STOPPED)
            _, _, destination, _ = ip.inspect(packet)
            peer = self.allowed_ips.lookup(destination)
            if peer is None:
                raise PacketDropped(DropReason.NO_ROUTE_TO_PEER)
            if peer.endpoint is None:
                raise PacketDropped(DropReason.NO_ENDPOINT)
            if self._environment.identity is not None and not peer.handshake.is_usable:
                raise PacketDropped(DropReason.LOW_ORDER_KEY)
        except PacketDropped as drop:
            self.drops[drop.reason] += 1
            return
        peer.stage(bytes(packet))
        sending.send_staged(peer, now)

    @property
    def has_outputs(self) -> bool:
        """Whether ``poll`` has something already."""
        return bool(self._environment.outputs)

    @property
    def has_news(self) -> bool:
        """Whether to call ``poll``, and to ask for ``next_deadline`` anew if the last one has not come yet."""
        environment = self._environment
        return bool(
            environment.outputs
            or environment.timers.is_earlier
            or self._handshakes.waiting
            or environment.initiations.waiting
        )

    def poll(self) -> list[Output]:
        """What happened since the last call, in order; datagrams are to be sent in this order."""
        environment = self._environment
        if self.pending_handshakes:
            done = self._handshakes.step(self._now, messages=MESSAGES_PER_POLL, handshakes=HANDSHAKES_PER_POLL)
            sending.send_waiting_initiations(environment, HANDSHAKES_PER_POLL - done, self._now)
        outputs, environment.outputs = environment.outputs, []
        return outputs

    # Time

    def next_deadline(self) -> float | None:
        """When to call ``advance`` next; None: never. At times early (it then does nothing), never late.

        The time of the last call, or one before it, while there is more to do at once: call ``advance`` in every
        turn until that ends.
        """
        if self.pending_handshakes:
            return self._now
        return self._environment.timers.next_wake()

    def advance(self, now: float) -> None:
        """Fire timers that are due, and take a step through the handshakes that wait."""
        self._now = now
        environment = self._environment
        # Whatever flood comes in, an initiation of ours has its place in every step.
        limit = HANDSHAKES_PER_STEP - (1 if len(environment.initiations) else 0)
        done = self._handshakes.step(now, messages=MESSAGES_PER_STEP, handshakes=limit)
        for _ in range(EXPIRATIONS_PER_STEP):
            timers = environment.timers.pop_due(now)
            if timers is None:
                break
            self._expire(timers, now)
        sending.send_waiting_initiations(environment, HANDSHAKES_PER_STEP - done, now)

    # Leases: the fast path. The core stays the only owner of counters, windows and timers.

    def lease_seal(self, peer: Peer, count: int, now: float) -> SealLease | None:
        """Reserve ``count`` counters of the peer's session.

        None: there is no session to send with, or packets are staged before these: use ``send_packet``.
        """
        session = peer.sessions.current
        endpoint = peer.endpoint
        if session is None or endpoint is None or peer.staged:
            return None
        first_counter = session.send_counter
        if first_counter + count > REJECT_AFTER_MESSAGES or now >= session.rejected_at:
            return None
        session.send_counter = first_counter + count
        return SealLease(session.send_aead, first_counter, session.remote_index, endpoint, peer.local, peer)

    def commit_seal(
        self, lease: SealLease, datagrams: int, wire_bytes: int, now: float, *, has_data: bool = True
    ) -> None:
        """Tell what was sealed under the lease: timers, counters, rekeying. has_data: not only keepalives."""
        self._now = now
        if lease.peer.timers.is_running:
            sending.note_sent(lease.peer, datagrams, wire_bytes, has_data, now)

    def lease_open(self, receiver_index: int, now: float) -> OpenLease | None:
        """The session behind an index; None, counted as UNKNOWN_INDEX or EXPIRED_KEY, if there is none to open with."""
        session = self._environment.indices.sessions.get(receiver_index)
        if session is None:
            self.drops[DropReason.UNKNOWN_INDEX] += 1
            return None
        if now >= session.rejected_at:
            self.drops[DropReason.EXPIRED_KEY] += 1
            return None
        return session.open_lease

    def commit_open(
        self,
        lease: OpenLease,
        source: Endpoint,
        local: LocalAddress | None,
        datagrams: int,
        wire_bytes: int,
        has_data: bool,
        now: float,
    ) -> None:
        """Tell what was authenticated under the lease, the last of it from ``source`` to ``local``.

        Roaming (checklist 33), key confirmation (11), timers and counters; outputs appear in ``poll``. Call it for
        packets that fail the source check too, and before delivering any.
        """
        self._now = now
        note_received(lease, source, local, datagrams, wire_bytes, has_data, now)

    def _start(self, peer: Peer, now: float) -> None:
        peer.start()
        if peer.persistent_keepalive_s:
            sending.send_keepalive(peer, now)

    def _expire(self, timers: PeerTimers, now: float) -> None:
        while (timer := timers.take_due(now)) is not None:
            sending.expire(timers.owner, timer, now)
        timers.reschedule()

    def _receive_transport(
        self, datagram: bytes | memoryview, source: Endpoint, local: LocalAddress | None, now: float
    ) -> None:
        """Raises PacketDropped; nothing but what authentication allows has changed then."""
        receiver_index, counter = unpack_transport_header(datagram)
        lease = self.lease_open(receiver_index, now)
        if lease is None:
            return
        if not lease.check(counter):
            raise PacketDropped(DropReason.REPLAYED)
        try:
            packet = lease.aead.decrypt(pack_nonce(counter), bytes(datagram[TRANSPORT_HEADER_BYTES:]), None)
        except AuthenticationFailed:
            raise PacketDropped(DropReason.BAD_TAG) from None
        lease.commit(counter)
        self.commit_open(lease, source, local, 1, len(datagram), bool(packet), now)
        if not packet:
            return
        _, inner_source, _, total_length = ip.inspect(packet)
        if self.allowed_ips.lookup(inner_source) is not lease.peer:
            raise PacketDropped(DropReason.WRONG_SOURCE)
        self._environment.outputs.append(DeliverPacket(packet[:total_length], lease.peer))
