# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The only door for change to a running tunnel: check all of it, then commit all of it.

A transaction has three parts. *Check*: every change against the device as it would be by then; nothing has happened
if it fails. *System*: sockets, routes, addresses and link, in the order given; the first call that fails takes the
ones before it back, in reverse. *Device*: peers and keys, which cannot fail any more, so no session is lost to an
error of the system. The engine's loop moves no packet in between: to the network it is one step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..config import HostPort, LogLevel
from ..config import changes as c
from ..core import Device, Peer
from ..errors import DriverError
from .checks import check_changes
from .group_steps import OutlastingGroups, apply_group_change, give, replace_allowed_ips
from .host_steps import HostSettings, Journal, SocketSettings

_DEVICE = (
    c.SetPrivateKey,
    c.AddPeer,
    c.RemovePeer,
    c.SetPresharedKey,
    c.SetEndpoint,
    c.SetPersistentKeepalive,
    c.ReplaceAllowedIps,
    c.AddAllowedIp,
    c.RemoveAllowedIp,
    c.SetGroup,
    c.RemoveGroup,
)
_LABEL = (c.SetLogLevel, c.SetHostLabels, c.SetMetrics, c.SetPeerName, c.SetHeartbeat, c.SetGroupPolicy)
# Whatever of these changes, the address that a peer was last reached from may be wrong now (checklist 35).
_MOVES_SOURCES = (c.SetListenPort, c.SetFwmark, c.AddAddress, c.RemoveAddress, c.AddRoute, c.RemoveRoute)


@dataclass(frozen=True)
class Applied:
    """changes: those that made a difference, in the order in which they were made. unresolved: endpoints that are
    names; whoever owns a resolver applies them again as SetEndpoint(peer, Endpoint)."""

    changes: tuple[c.Change, ...]
    unresolved: tuple[c.SetEndpoint, ...] = ()


class Applier:
    """Applies changes to one device and its surroundings; lives as long as the tunnel."""

    def __init__(
        self,
        device: Device,
        sockets: SocketSettings,
        routes: HostSettings | None = None,
        *,
        set_log_level: Callable[[LogLevel], None] | None = None,
    ) -> None:
        self._device = device
        self._sockets = sockets
        self._host = routes
        self._set_log_level = set_log_level
        self._last: dict[type, c.Change] = {}

    def check(self, changes: Iterable[c.Change]) -> None:
        """Raises RefusedError if ``apply`` would refuse; changes nothing, and does not ask the system."""
        check_changes(changes, self._device, has_host=self._host is not None)

    def apply(self, changes: Iterable[c.Change], now: float) -> Applied:
        """Make all of ``changes`` or none. now: monotonic seconds.

        Raises RefusedError (the check), or DriverError (the system; what was done is undone, and what could not be
        is noted at the error). The caller polls the device afterwards: changes can make handshakes.
        """
        wanted = tuple(changes)
        self.check(wanted)
        done = self._apply_to_system(wanted)
        unresolved: list[c.SetEndpoint] = []
        if any(isinstance(change, _MOVES_SOURCES) for change in done):
            self._device.clear_sticky_sources()
        self._note_own_addresses(wanted)
        groups = OutlastingGroups(self._device, wanted)
        for change in wanted:
            if isinstance(change, c.SetEndpoint) and isinstance(change.endpoint, HostPort):
                unresolved.append(change)
            elif isinstance(change, _DEVICE):
                if self._apply_to_device(change, now):
                    done.append(change)
            elif isinstance(change, _LABEL):
                done.append(change)
                if isinstance(change, c.SetLogLevel) and self._set_log_level is not None:
                    self._set_log_level(change.level)
        groups.restore(now)
        return Applied(tuple(done), tuple(unresolved))

    def _note_own_addresses(self, changes: tuple[c.Change, ...]) -> None:
        own = set(self._device.own_addresses)
        for change in changes:
            if isinstance(change, c.AddAddress):
                own.add(change.address.packed)
            elif isinstance(change, c.RemoveAddress):
                own.discard(change.address.packed)
        self._device.own_addresses = frozenset(own)

    def _apply_to_system(self, changes: tuple[c.Change, ...]) -> list[c.Change]:
        journal = Journal(self._sockets, self._host, self._last)
        done: list[c.Change] = []
        try:
            for change in changes:
                if not isinstance(change, _DEVICE) and not isinstance(change, _LABEL) and journal.take(change):
                    done.append(change)
        except DriverError as error:
            journal.take_back(error)
            raise
        return done

    def _apply_to_device(self, change: c.DeviceChange, now: float) -> bool:
        """Make one change that the check has let pass; False if it was so already."""
        device = self._device
        if isinstance(change, c.SetPrivateKey):
            if device.private_key == change.key:
                return False
            device.set_private_key(change.key, now)
            return True
        if isinstance(change, (c.SetGroup, c.RemoveGroup)):
            return apply_group_change(device, change, now)
        peer = device.peers.get(change.public_key)
        if isinstance(change, c.AddPeer):
            if peer is None:
                device.add_peer(change.public_key, now)
            return peer is None
        if peer is None:
            return False
        if isinstance(change, c.RemovePeer):
            device.remove_peer(change.public_key, now)
            return True
        return self._apply_to_peer(change, peer, now)

    def _apply_to_peer(self, change: c.DeviceChange, peer: Peer, now: float) -> bool:
        device = self._device
        match change:
            case c.SetPresharedKey(key=key):
                if peer.preshared_key == key:
                    return False
                device.set_preshared_key(peer, key, now)
            case c.SetEndpoint(endpoint=endpoint) if not isinstance(endpoint, HostPort):
                if peer.endpoint == endpoint:
                    return False
                device.set_endpoint(peer, endpoint, now)
            case c.SetPersistentKeepalive(interval_s=interval_s):
                if peer.persistent_keepalive_s == interval_s:
                    return False
                device.set_persistent_keepalive(peer, interval_s, now)
            case c.ReplaceAllowedIps(prefixes=prefixes):
                return replace_allowed_ips(device, peer, prefixes)
            case c.AddAllowedIp(prefix=prefix):
                return give(device, prefix, peer)
            case c.RemoveAllowedIp(prefix=prefix):
                return device.allowed_ips.remove(prefix, peer)
        return True
