# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Would a list of changes succeed on this device? Asked before the first of them is made."""

from __future__ import annotations

from collections.abc import Iterable

from ..config import changes as c
from ..core import Device
from ..core.constants import MAX_GROUP_MEMBERS, MAX_PEERS
from ..crypto import public_key_of
from ..errors import RefusedError
from ..keys import PrivateKey, PublicKey

_PEER_SETTINGS = (
    c.SetPresharedKey,
    c.SetEndpoint,
    c.SetPersistentKeepalive,
    c.ReplaceAllowedIps,
    c.AddAllowedIp,
    c.RemoveAllowedIp,
)
_HOST = (
    c.AddAddress,
    c.RemoveAddress,
    c.SetMtu,
    c.AddRoute,
    c.RemoveRoute,
    c.SetForwarding,
    c.SetDns,
    c.SetDefaultRouteRules,
    c.SetUp,
)


class PeersAfter:
    """Who would be a peer, change by change, without touching the device or copying its table."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._added: dict[PublicKey, None] = {}
        self._removed: set[PublicKey] = set()
        self.own_key: PublicKey | None = device.public_key

    def __contains__(self, key: PublicKey) -> bool:
        return key in self._added or (key in self._device.peers and key not in self._removed)

    def __len__(self) -> int:
        return len(self._device.peers) - len(self._removed) + len(self._added)

    def in_order(self) -> list[PublicKey]:
        """In the device's order, new ones last."""
        return [key for key in self._device.peers if key not in self._removed] + list(self._added)

    def add(self, key: PublicKey) -> None:
        if key not in self:
            self._added[key] = None

    def remove(self, key: PublicKey) -> None:
        if key in self._added:
            del self._added[key]
        elif key in self._device.peers:
            self._removed.add(key)

    def set_private_key(self, key: PrivateKey | None) -> None:
        """The peer that turns out to be the device itself goes (checklist 17)."""
        self.own_key = None if key is None else public_key_of(key)
        if self.own_key is not None:
            self.remove(self.own_key)


def check_changes(changes: Iterable[c.Change], device: Device, *, has_host: bool) -> None:
    """Raises RefusedError for the first change that could not be made; nothing has happened then.

    has_host: addresses, routes and link can be set; without a routes driver they cannot.
    """
    peers = PeersAfter(device)
    for change in changes:
        if isinstance(change, _PEER_SETTINGS):
            if change.public_key not in peers:
                raise _refused(change, "there is no such peer", "somebody else changed the tunnel: see wg show")
        elif isinstance(change, _HOST):
            if not has_host:
                raise _refused(change, "this tunnel has no interface that could be set", None)
        else:
            _follow(change, peers)
        low, high, value = _range(change)
        if not low <= value <= high:
            raise _refused(change, f"{value} is not between {low} and {high}", None)


def _follow(change: c.Change, peers: PeersAfter) -> None:
    if isinstance(change, c.SetGroup):
        _check_group(change, peers)
    elif isinstance(change, c.SetPrivateKey):
        peers.set_private_key(change.key)
    elif isinstance(change, c.RemovePeer):
        peers.remove(change.public_key)
    elif isinstance(change, c.AddPeer):
        if change.public_key == peers.own_key:
            raise _refused(change, "this is the tunnel's own public key", "a host is not its own peer")
        peers.add(change.public_key)
        if len(peers) > MAX_PEERS:
            raise _refused(change, f"a tunnel has at most {MAX_PEERS} peers", None)


def _check_group(change: c.SetGroup, peers: PeersAfter) -> None:
    members = set(change.members)
    if not 1 <= len(members) <= MAX_GROUP_MEMBERS or len(members) != len(change.members):
        raise _refused(change, f"a group has 1 to {MAX_GROUP_MEMBERS} different members", None)
    if change.active not in members or (change.direct is not None and change.direct not in members):
        raise _refused(change, "the active and the direct member are members", None)
    if change.gateways and (change.direct not in change.gateways or not members.issuperset(change.gateways)):
        raise _refused(change, "gateways are members, and the direct one is one of them", None)
    for key in change.members:
        if key not in peers:
            raise _refused(change, f"{key} is no peer", "somebody else changed the tunnel: see wg show")


def _range(change: c.Change) -> tuple[int, int, int]:
    """(lowest, highest, value) of a change that carries a number."""
    if isinstance(change, c.SetListenPort):
        return 0, 65535, change.port
    if isinstance(change, c.SetFwmark):
        return 0, 0xFFFFFFFF, change.mark
    if isinstance(change, c.SetPersistentKeepalive):
        return 0, 65535, change.interval_s
    if isinstance(change, c.SetMtu):
        return 68, 65535, change.mtu_bytes
    return 0, 0, 0


def _refused(change: c.Change, message: str, hint: str | None) -> RefusedError:
    return RefusedError(message, path=f"{change.op} {change.target}", hint=hint)
