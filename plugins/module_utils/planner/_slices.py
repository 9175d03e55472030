# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Slices: what one host has to know of the plan.

Every spoke peers with all hubs, hubs peer with everybody. A spoke's active hub (the first of its ranking whose key is
known) carries all of its traffic, in both directions and on all hosts alike, so WireGuard's inner source check always
passes. The other sessions are kept warm without AllowedIPs.

==============  =======================================================================================
on              AllowedIPs
==============  =======================================================================================
a spoke         active hub: the overlay, the site supernets, and other hosts' site prefixes outside them
hub H           hub G: G's own networks, and those of all spokes whose active hub is G
hub H           spoke S: S's networks if H is its active hub
==============  =======================================================================================

A host's networks are its overlay addresses as /32 and /128 and its site prefixes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ._fleet import outside_supernets
from ._model import Fleet, Host
from ._names import natural_sort
from ._networks import BITS, Address, Network

SCHEMA = 1


@dataclass(frozen=True)
class Placed:
    """A fleet whose hosts have addresses, keys and a ranking of hubs."""

    fleet: Fleet
    addresses: Mapping[str, tuple[Address, ...]]
    public_keys: Mapping[str, str]
    preferred_hubs: Mapping[str, tuple[str, ...]]

    def active_hub(self, spoke: str) -> str | None:
        """The first hub of the ranking whose key is known. A hub has none."""
        return next((hub for hub in self.preferred_hubs.get(spoke, ()) if hub in self.public_keys), None)


class SliceBuilder:
    """Makes all slices; what they share is computed once, so the cost per spoke does not grow with the fleet."""

    def __init__(self, placed: Placed) -> None:
        self._placed = placed
        self._fleet = placed.fleet
        self._active = {spoke.name: placed.active_hub(spoke.name) for spoke in self._fleet.spokes}
        self._own = {name: self._own_networks(host) for name, host in self._fleet.hosts.items()}
        self._behind = self._networks_behind_hubs()
        self._single_sites = sorted(
            (prefix, host.name)
            for host in self._fleet.hosts.values()
            if host.name in placed.public_keys
            for prefix in outside_supernets(self._fleet, host)
        )
        self._pending = {name for name in self._fleet.hosts if name not in placed.public_keys}

    def slices(self) -> Iterator[tuple[str, dict[str, object]]]:
        """Every host's slice, in the order of the fleet."""
        for host in self._fleet.hosts.values():
            yield host.name, self._slice(host)

    def _slice(self, host: Host) -> dict[str, object]:
        others = self._fleet.hosts.values() if host.role == "hub" else self._fleet.hubs
        peers = [other for other in others if other.name != host.name]
        make_peer = self._peer_of_hub if host.role == "hub" else self._peer_of_spoke
        return {
            "schema": SCHEMA,
            "host": host.name,
            "role": host.role,
            "region": host.region,
            "tunnel": host.tunnel,
            "public_key": self._placed.public_keys.get(host.name),
            "forwarding": host.is_forwarding,
            "interface": {
                "addresses": self._interface_addresses(host),
                "listen_port": host.port,
                "mtu": host.mtu_bytes,
            },
            "preferred_hubs": list(self._placed.preferred_hubs.get(host.name, ())),
            "overlay": [network.text for network in self._fleet.overlay],
            "pending": natural_sort(peer.name for peer in peers if peer.name in self._pending),
            "peers": [make_peer(host, peer) for peer in peers if peer.name not in self._pending],
        }

    def _interface_addresses(self, host: Host) -> list[str]:
        """With the overlay's prefix length, so that no host needs a route per peer."""
        length = {network.version: network.length for network in self._fleet.overlay}
        return [f"{address}/{length[address.version]}" for address in self._placed.addresses[host.name]]

    def _peer_of_spoke(self, spoke: Host, hub: Host) -> dict[str, object]:
        is_active = self._active[spoke.name] == hub.name
        return self._peer(hub, self._routed_by(spoke) if is_active else [], spoke.keepalive_s, is_active)

    def _peer_of_hub(self, hub: Host, peer: Host) -> dict[str, object]:
        if peer.role == "hub":
            return self._peer(peer, self._behind[peer.name], hub.keepalive_s, False)
        is_active = self._active[peer.name] == hub.name
        return self._peer(peer, _texts(self._own[peer.name]) if is_active else [], 0, is_active)

    def _peer(self, peer: Host, allowed_ips: list[str], keepalive_s: int, is_preferred: bool) -> dict[str, object]:
        return {
            "name": peer.name,
            "role": peer.role,
            "public_key": self._placed.public_keys[peer.name],
            "endpoint": str(peer.endpoint) if peer.endpoint else None,
            "allowed_ips": allowed_ips,
            "persistent_keepalive": keepalive_s,
            "preshared": self._fleet.has_preshared_keys,
            "preferred": is_preferred,
        }

    def _own_networks(self, host: Host) -> list[Network]:
        own = [Network(a.version, a.value, BITS[a.version]) for a in self._placed.addresses[host.name]]
        return sorted([*own, *host.site_prefixes])

    def _networks_behind_hubs(self) -> dict[str, list[str]]:
        behind = {hub.name: list(self._own[hub.name]) for hub in self._fleet.hubs}
        for spoke, hub in self._active.items():
            if hub is not None and spoke in self._placed.public_keys:
                behind[hub].extend(self._own[spoke])
        return {hub: _texts(sorted(networks)) for hub, networks in behind.items()}

    def _routed_by(self, spoke: Host) -> list[str]:
        """A supernet that lies inside one of the spoke's own site prefixes would take its LAN away: it is left out."""
        supernets = [
            net for net in self._fleet.site_supernets if not any(own.covers(net) for own in spoke.site_prefixes)
        ]
        sites = [prefix for prefix, owner in self._single_sites if owner != spoke.name]
        return _texts(sorted({*self._fleet.overlay, *supernets, *sites}))


def _texts(networks: Iterable[Network]) -> list[str]:
    return [network.text for network in networks]
