# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What can be set at a device: its identity, its peers, its groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from ..crypto import StaticIdentity
from ..drops import DropReason
from ..errors import RefusedError
from ..keys import PresharedKey, PrivateKey, PublicKey
from ..wire import Endpoint
from . import sending
from .allowed_ips import AllowedIps, Prefix
from .constants import MAX_PEERS
from .environment import Entropy, Environment, Tai64nClock
from .groups import Group, Groups
from .peer import Peer
from .receiving import HandshakeReceiver

_MAX_KEEPALIVE_S = 0xFFFF


class DeviceSettings:
    """The part of ``Device`` that configuration calls; made as a part of it only."""

    def __init__(self, *, entropy: Entropy, tai64n_now: Tai64nClock) -> None:
        self._environment = Environment(entropy, tai64n_now)
        self._peers: dict[PublicKey, Peer] = {}
        self._handshakes = HandshakeReceiver(self._environment, self._peers)
        self._now = 0.0
        self.peers: Mapping[PublicKey, Peer] = MappingProxyType(self._peers)
        self.allowed_ips = AllowedIps()
        groups: dict[str, Group] = {}
        self.groups: Mapping[str, Group] = MappingProxyType(groups)
        self._groups = Groups(groups, self._environment, self._peers, self.allowed_ips)
        self.drops: Counter[DropReason] = self._environment.drops

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

    @property
    def own_addresses(self) -> frozenset[bytes]:
        """The interface's addresses, packed: what is sent from them goes to a group's direct member if it has one."""
        return self._environment.own_addresses

    @own_addresses.setter
    def own_addresses(self, value: frozenset[bytes]) -> None:
        self._environment.own_addresses = value

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
        """Routes and groups first, then timers, keys and the peer itself (checklist 39); an unknown peer is no error.

        A group whose active member it was goes on with the first one left. One that has no members any more ends, and
        so does one whose direct member it was.
        """
        self._now = now
        peer = self._peers.get(public_key)
        if peer is None:
            return
        self.allowed_ips.remove_all(peer)
        self._groups.forget(peer, now)
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

    # Groups

    def set_group(
        self,
        name: str,
        members: Sequence[PublicKey],
        prefixes: Iterable[Prefix],
        *,
        active: PublicKey,
        direct: PublicKey | None = None,
        gateways: Sequence[PublicKey] = (),
        now: float,
    ) -> Group:
        """Make a group, or make the one of this name so: it stays the same object. Its prefixes move to it.

        gateways: the members that may be direct, where there are several. Raises ValueError, and nothing has changed:
        members are 1 to 32 different peers, the active and the direct one and the gateways among them.
        """
        self._now = now
        return self._groups.set(name, members, prefixes, active, direct, gateways, now)

    def remove_group(self, name: str, now: float) -> None:
        """The group ends, and nobody owns its prefixes any more; an unknown one is no error."""
        self._now = now
        self._groups.remove(name)

    def switch(self, group: Group, to: PublicKey, now: float, *, direct: PublicKey | None = None) -> None:
        """Send the group's outbound packets to another member from now on, also those that wait for a session.

        direct: the gateway that our own packets go to from now on, None: the one so far. Costs no session. Raises
        ValueError if ``to`` is no member or ``direct`` no gateway.
        """
        self._now = now
        self._groups.switch(group, to, direct, now)

    def groups_of(self, peer: Peer) -> tuple[Group, ...]:
        """The groups that the peer is a member of."""
        return self._groups.of(peer)

    def prefixes_to(self, peer: Peer) -> Iterator[Prefix]:
        """What is sent to the peer now: what it owns, then what the groups own whose active member it is."""
        yield from peer.allowed_ips
        for group in self._groups.of(peer):
            if group.active is peer:
                yield from group.prefixes

    def _start(self, peer: Peer, now: float) -> None:
        peer.start()
        if peer.persistent_keepalive_s:
            sending.send_keepalive(peer, now)
