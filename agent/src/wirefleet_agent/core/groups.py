# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Groups: several peers that own the same prefixes. Outbound goes to the active one, inbound is taken from any.

A prefix of AllowedIPs belongs to one owner, a peer or a group, and the longest prefix still wins. So an address that
one member owns by itself, as a hub its own /32, is neither taken from another member nor sent over it. The table
holds the group, not its active member: a switch is one assignment, costs no session and leaves every cache as it is.

A group may have a *direct* member: the one that the prefixes are of, while the others only forward. Its hosts take our
own addresses from us alone, so what we send from one of them goes to it directly, whoever is active. Where the prefixes
are of several members, the *gateways* of a site, the direct one is one of these, and another one may take its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import final

from ..keys import PublicKey
from ..wire import ip
from . import sending
from .allowed_ips import AllowedIps, Prefix
from .constants import MAX_GROUP_MEMBERS
from .environment import Environment
from .peer import Peer


@final
class Group:
    """Made by ``Device.set_group``; changed through the device only. Compares and hashes by identity.

    members: in the order that was given; empty once the group has ended. active: whom outbound traffic goes to, since
    the moment ``since`` (monotonic seconds). is_relayed: there is a direct member and it is not the active one.
    gateways: members that can be direct; empty if only one can, or none.
    """

    __slots__ = (
        "_allowed_ips", "_environment", "active", "direct", "gateways", "is_relayed", "members", "name", "since",
    )  # fmt: skip

    def __init__(
        self, name: str, active: Peer, environment: Environment, allowed_ips: AllowedIps, *, since: float
    ) -> None:
        self.name = name
        self._environment = environment
        self._allowed_ips = allowed_ips
        self.members: tuple[Peer, ...] = ()
        self.active = active
        self.direct: Peer | None = None
        self.gateways: tuple[Peer, ...] = ()
        self.is_relayed = False
        self.since = since

    @property
    def prefixes(self) -> tuple[Prefix, ...]:
        """In the order in which the group got them."""
        return self._allowed_ips.prefixes_of(self)

    def member_for(self, source: bytes) -> Peer:
        """Whom a packet with this source address goes to (4 or 16 bytes, network order)."""
        if self.is_relayed and self.direct is not None and source in self._environment.own_addresses:
            return self.direct
        return self.active

    def __repr__(self) -> str:
        return f"Group({self.name!r})"


Owner = Peer | Group


def accepts(owner: Owner | None, peer: Peer) -> bool:
    """Whether ``peer`` may send from addresses of ``owner`` (checklist 30)."""
    return owner is peer or (type(owner) is Group and peer in owner.members)


class Groups:
    """The groups of one device."""

    __slots__ = ("_allowed_ips", "_by_name", "_environment", "_of_peer", "_peers")

    def __init__(
        self,
        by_name: dict[str, Group],
        environment: Environment,
        peers: Mapping[PublicKey, Peer],
        allowed_ips: AllowedIps,
    ) -> None:
        self._by_name = by_name
        self._environment = environment
        self._peers = peers
        self._allowed_ips = allowed_ips
        self._of_peer: dict[Peer, dict[Group, None]] = {}

    def set(
        self,
        name: str,
        members: Sequence[PublicKey],
        prefixes: Iterable[Prefix],
        active: PublicKey,
        direct: PublicKey | None,
        gateways: Sequence[PublicKey],
        now: float,
    ) -> Group:
        """See ``Device.set_group``."""
        peers = self._checked(members, active, direct, gateways)
        group = self._by_name.get(name)
        if group is None:
            group = self._by_name[name] = Group(
                name, self._peers[active], self._environment, self._allowed_ips, since=now
            )
        concerned = {*group.members, *peers}
        for peer in group.members:
            if peer not in peers:
                self._leave(group, peer)
        for peer in peers:
            self._of_peer.setdefault(peer, {})[group] = None
        group.members = peers
        group.direct = None if direct is None else self._peers[direct]
        group.gateways = tuple(self._peers[key] for key in gateways)
        self._activate(group, self._peers[active], now)
        wanted = dict.fromkeys(prefixes)
        for prefix in group.prefixes:
            if prefix not in wanted:
                self._allowed_ips.remove(prefix, group)
        for prefix in wanted:
            before = self._allowed_ips.insert(prefix, group)
            if before is not None and before is not group:
                # Not only the active member: what we send from our own addresses waits at the direct one.
                concerned.update(before.members if isinstance(before, Group) else (before,))
        for peer in concerned:
            self._reroute_staged(peer, now)
        return group

    def remove(self, name: str) -> None:
        """The group and its prefixes end; an unknown name is no error."""
        group = self._by_name.pop(name, None)
        if group is None:
            return
        for peer in group.members:
            self._leave(group, peer)
        group.members = group.gateways = ()
        self._allowed_ips.remove_all(group)

    def switch(self, group: Group, to: PublicKey, direct: PublicKey | None, now: float) -> None:
        """See ``Device.switch``."""
        peer = self._peers.get(to)
        if peer is None or peer not in group.members:
            raise ValueError(f"{to} is no member of {group.name}")
        gateway = group.direct if direct is None else self._peers.get(direct)
        if gateway is not group.direct and gateway not in group.gateways:
            raise ValueError(f"{direct} is no gateway of {group.name}")
        if (peer, gateway) == (group.active, group.direct):
            return
        before = dict.fromkeys((group.active, group.direct))
        group.direct = gateway
        self._activate(group, peer, now)
        for each in before:
            if each is not None:
                self._reroute_staged(each, now)

    def forget(self, peer: Peer, now: float) -> None:
        """The peer is being removed: the first member left takes its place where it was active.

        Where it was direct the first gateway left does; without one the group ends. Its prefixes are those of the peer
        that goes: the others would only send its packets to each other, and could speak in its name.
        """
        for group in tuple(self._of_peer.get(peer, ())):
            left = tuple(member for member in group.members if member is not peer)
            gateways = tuple(gateway for gateway in group.gateways if gateway is not peer)
            if not left or (group.direct is peer and not gateways):
                self.remove(group.name)
                continue
            self._leave(group, peer)
            group.members, group.gateways = left, gateways
            if group.direct is peer:
                group.direct = gateways[0]
            self._activate(group, left[0] if group.active is peer else group.active, now)
        self._reroute_staged(peer, now)

    def of(self, peer: Peer) -> tuple[Group, ...]:
        """The groups that the peer is a member of, in the order in which it became one."""
        return tuple(self._of_peer.get(peer, ()))

    def member_for(self, source: bytes, destination: bytes) -> Peer | None:
        """Whom a packet goes to; None: there is no route."""
        owner = self._allowed_ips.lookup(destination)
        return owner.member_for(source) if type(owner) is Group else owner

    def _checked(
        self,
        members: Sequence[PublicKey],
        active: PublicKey,
        direct: PublicKey | None,
        gateways: Sequence[PublicKey],
    ) -> tuple[Peer, ...]:
        if not 1 <= len(members) <= MAX_GROUP_MEMBERS or len(set(members)) != len(members):
            raise ValueError(f"a group has 1 to {MAX_GROUP_MEMBERS} different members")
        if active not in members or (direct is not None and direct not in members):
            raise ValueError("the active and the direct member are members")
        if gateways and (direct not in gateways or not set(gateways) <= set(members)):
            raise ValueError("gateways are members, and the direct one is one of them")
        try:
            return tuple(self._peers[key] for key in members)
        except KeyError as error:
            raise ValueError(f"{error.args[0]} is no peer") from None

    def _activate(self, group: Group, peer: Peer, now: float) -> None:
        if group.active is not peer:
            group.active, group.since = peer, now
        group.is_relayed = group.direct is not None and group.direct is not peer

    def _leave(self, group: Group, peer: Peer) -> None:
        mine = self._of_peer[peer]
        del mine[group]
        if not mine:
            del self._of_peer[peer]

    def _reroute_staged(self, peer: Peer, now: float) -> None:
        """What waits at ``peer`` for a session and belongs to a group goes to whom it would be given now.

        What the peer was given for itself stays, and so does what the new member could not be sent.
        """
        takers: dict[Peer, None] = {}
        for _ in range(peer.staged_packets):
            packet = peer.next_staged()
            _, source, destination, _ = ip.inspect(packet)
            owner = self._allowed_ips.lookup(destination)
            taker = owner.member_for(source) if type(owner) is Group else peer
            if taker.endpoint is None or not taker.handshake.is_usable:
                taker = peer
            taker.stage(packet)
            takers[taker] = None
        for taker in takers:
            if taker is not peer:
                sending.send_staged(taker, now)
