# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What changes mean for groups, which wg(8) has no words for.

To wg a group's prefixes are AllowedIPs of its active member. It may give them to any member, as it does with a file
that was written while another one was active: that changes nothing. Given to a peer that is no member they move there,
as every exact duplicate does. ``wg setconf`` takes all peers out and puts them in again: the groups outlast that, by
their names. They are other objects then, of other peers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..config import Prefix
from ..config import changes as c
from ..core import Device, Group, Peer
from ..keys import PublicKey


def apply_group_change(device: Device, change: c.SetGroup | c.RemoveGroup, now: float) -> bool:
    """Make a change that the check has let pass; False if it was so already."""
    group = device.groups.get(change.name)
    if isinstance(change, c.RemoveGroup):
        device.remove_group(change.name, now)
        return group is not None
    active, before = change.active, None if group is None else _shape(group)
    former = group or device.groups.get(change.renamed_from or "")
    if former is not None and former.active.public_key in change.members and not change.is_moved:
        active = former.active.public_key
    direct = change.direct
    if former is not None and former.direct is not None and not change.is_moved:
        direct = former.direct.public_key if former.direct.public_key in change.gateways else direct
    after = device.set_group(
        change.name, change.members, change.prefixes, active=active, direct=direct, gateways=change.gateways, now=now
    )
    return _shape(after) != before


def _shape(group: Group) -> tuple[object, ...]:
    return group.members, frozenset(group.prefixes), group.direct, group.gateways, group.active


def give(device: Device, prefix: Prefix, peer: Peer) -> bool:
    """Make the peer the owner; False, and nothing changes, if a group has the prefix whose member it is."""
    owner = device.allowed_ips.owner_of(prefix)
    if isinstance(owner, Group) and peer in owner.members:
        return False
    device.allowed_ips.insert(prefix, peer)
    return True


def replace_allowed_ips(device: Device, peer: Peer, prefixes: tuple[Prefix, ...]) -> bool:
    """Only what differs is touched: a prefix that stays is never without its owner. False if nothing changes."""
    had, wanted = peer.allowed_ips, set(prefixes)
    lost = [prefix for prefix in had if prefix not in wanted]
    for prefix in lost:
        device.allowed_ips.remove(prefix, peer)
    kept = set(had)
    given = [give(device, prefix, peer) for prefix in dict.fromkeys(prefixes) if prefix not in kept]
    return bool(lost) or any(given)


@dataclass(frozen=True)
class _Outlasting:
    name: str
    members: tuple[PublicKey, ...]
    prefixes: tuple[Prefix, ...]
    active: PublicKey
    direct: PublicKey | None
    gateways: tuple[PublicKey, ...]


class OutlastingGroups:
    """Groups whose members leave and come back in one transaction. Made before it, restored after it."""

    def __init__(self, device: Device, changes: Iterable[c.Change]) -> None:
        self._device = device
        removed: set[PublicKey] = set()
        again: dict[PublicKey, None] = {}
        for change in changes:
            if isinstance(change, c.RemovePeer):
                removed.add(change.public_key)
            elif isinstance(change, c.AddPeer) and change.public_key in removed:
                again[change.public_key] = None
        groups = {group: None for key in again if key in device.peers for group in device.groups_of(device.peers[key])}
        self._groups = [_remembered(group) for group in groups]

    def restore(self, now: float) -> None:
        """A prefix that somebody else was given stays there.

        A group without members, prefixes, or any member that could be direct where there was one, is not restored.
        """
        device = self._device
        for group in self._groups:
            members = [key for key in group.members if key in device.peers]
            present = {device.peers[key] for key in members}
            live = device.groups.get(group.name)
            prefixes = [
                prefix
                for prefix in group.prefixes
                if (owner := device.allowed_ips.owner_of(prefix)) is None or owner is live or owner in present
            ]
            gateways = [key for key in group.gateways if key in members]
            direct = group.direct
            if direct is not None and direct not in members:
                direct = gateways[0] if gateways else None
            if not members or not prefixes or (direct is None) != (group.direct is None):
                continue
            active = group.active if group.active in members else members[0]
            device.set_group(group.name, members, prefixes, active=active, direct=direct, gateways=gateways, now=now)


def _remembered(group: Group) -> _Outlasting:
    return _Outlasting(
        group.name,
        tuple(peer.public_key for peer in group.members),
        group.prefixes,
        group.active.public_key,
        None if group.direct is None else group.direct.public_key,
        tuple(peer.public_key for peer in group.gateways),
    )
