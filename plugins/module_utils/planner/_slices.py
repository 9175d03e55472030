# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Slices: what one host has to know of the plan.

Every spoke peers with all hubs, hubs peer with everybody, and all sessions are warm. Where several peers may carry the
same traffic, the host's agent moves it between them. AllowedIPs are where each begins, and plain WireGuard: any tool
reads them.

===============  =========================================================================================
on               AllowedIPs
===============  =========================================================================================
a spoke          every hub: its own addresses. The preferred hub also has the spoke's group: the overlay, the site
                 supernets, and other hosts' site prefixes outside them
hub H            spoke S: S's networks, whichever hub S prefers: S itself tells which hub it uses
hub H            hub G: G's own networks, and those of the plain spokes whose fixed hub is G
a plain spoke    its fixed hub: all that a spoke's group has. Other hubs: nothing, they would not accept it
hub H            plain spoke S: S's networks if H is its fixed hub
hub H            of each redundant site the first gateway that is its peer: the site's prefixes as well
a gateway        what others have for its site, as another gateway may have sent it: see ``local_networks``
===============  =========================================================================================

A host's networks are its overlay addresses as /32 and /128 and the site prefixes that it has alone. A plain spoke has
no agent: nothing can move its traffic, so its preferred hub (the first of its ranking whose key is known) is a fixed
one. A hub's own addresses are never part of a group: they must be accepted from, and go to, that hub alone.

A redundant site whose gateways are spokes is one of the ``sites`` on each hub, and the hub finds the gateway; one whose
gateways are hubs is one of the ``groups`` of each hub that has two of them as peers. Spokes have both in the group of
their hubs. A gateway has its own site behind it, so it must never route the prefixes of that into the tunnel, yet has
to take packets from there: these are its ``local_networks``. A supernet around them does that without being named, as
the host's way to its LAN is the narrower one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ._fleet import is_outside_supernets
from ._model import Fleet, Host
from ._names import natural_sort
from ._networks import BITS, Address, Network
from ._sites import KnownSites

SCHEMA = 1
HUB_GROUP = "hubs"
MIN_MEMBERS = 2


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
        self._pending = {name for name in self._fleet.hosts if name not in placed.public_keys}
        self._sites = KnownSites(self._fleet, self._pending)
        self._hub_addresses = {hub.name: self._addresses_of(hub) for hub in self._fleet.hubs}
        carried = self._sites.carried(None)
        self._own = {
            spoke.name: _own_first(self._addresses_of(spoke), self._alone(spoke) + carried.get(spoke.name, []))
            for spoke in self._fleet.spokes
        }
        self._own_texts = {name: _texts(networks) for name, networks in self._own.items()}
        self._behind = {hub.name: self._networks_behind_hubs(hub.name) for hub in self._fleet.hubs}
        self._single_sites = sorted(
            (prefix, host.name)
            for host in self._fleet.hosts.values()
            if host.name not in self._pending
            for prefix in self._alone(host)
            if is_outside_supernets(self._fleet, prefix)
        )
        self._shared_sites = [
            (prefix, site.gateways)
            for site, _gateways in self._sites.seen_by(None)
            for prefix in site.prefixes
            if is_outside_supernets(self._fleet, prefix)
        ]
        self._plain = [
            spoke.name for spoke in self._fleet.spokes if not spoke.has_agent and spoke.name not in self._pending
        ]

    def slices(self) -> Iterator[tuple[str, dict[str, object]]]:
        """Every host's slice, in the order of the fleet."""
        for host in self._fleet.hosts.values():
            yield host.name, self._slice(host)

    def _slice(self, host: Host) -> dict[str, object]:
        others = self._fleet.hosts.values() if host.role == "hub" else self._fleet.hubs
        peers = [other for other in others if other.name != host.name]
        known = [peer for peer in peers if peer.name not in self._pending]
        local = self._local_networks(host)
        routed = self._routed_by(host, local) if host.role == "spoke" else []
        return {
            "schema": SCHEMA,
            "host": host.name,
            "role": host.role,
            "agent": host.has_agent,
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
            "heartbeat": self._heartbeat(host),
            "groups": self._groups_of_hub(host) if host.role == "hub" else self._groups_of_spoke(host, _texts(routed)),
            "sites": self._redundant_sites(host),
            "local_networks": _texts(local),
            "relays": self._relays(host),
            "cluster": self._cluster(host),
            "peers": [
                self._peer_of_hub(host, peer) if host.role == "hub" else self._peer_of_spoke(host, peer, routed)
                for peer in known
            ],
        }

    def _heartbeat(self, host: Host) -> dict[str, object] | None:
        if not host.has_agent:
            return None
        heartbeat = self._fleet.heartbeat
        return {
            "port": self._fleet.heartbeat_port,
            "interval_ms": heartbeat.interval_ms,
            "misses": heartbeat.misses,
        }

    def _groups_of_spoke(self, spoke: Host, routed: list[str]) -> list[dict[str, object]]:
        """One of all hubs whose keys are known, best first. One hub alone is no group."""
        members = [hub for hub in self._placed.preferred_hubs.get(spoke.name, ()) if hub not in self._pending]
        if not spoke.has_agent or len(members) < MIN_MEMBERS:
            return []
        return [_group(HUB_GROUP, members, routed, spoke)]

    def _groups_of_hub(self, hub: Host) -> list[dict[str, object]]:
        """One for each site behind several of the other hubs."""
        return [
            _group(site.name, gateways, _texts(site.prefixes), hub)
            for site, gateways in self._sites.seen_by(hub.name)
            if site.role == "hub" and len(gateways) >= MIN_MEMBERS
        ]

    def _redundant_sites(self, host: Host) -> list[dict[str, object]]:
        """On a hub, the sites behind several spokes. A site of one gateway is the gateway's as any other."""
        if host.role != "hub":
            return []
        return [
            {"name": site.name, "members": list(gateways), "allowed_ips": _texts(site.prefixes)}
            for site, gateways in self._sites.seen_by(host.name)
            if site.role == "spoke" and len(gateways) >= MIN_MEMBERS
        ]

    def _local_networks(self, host: Host) -> list[Network]:
        """The host's own networks that it takes from its peers by name: in order, and each at one of its peers."""
        shared = self._sites.shared_by(host.name)
        if host.role == "hub" or not shared:
            return sorted(shared)
        if self._active[host.name] is None:
            return []
        supernets = self._supernets_of(host)
        return sorted(prefix for prefix in shared if not any(net.covers(prefix) for net in supernets))

    def _relays(self, host: Host) -> dict[str, object] | None:
        """On a hub, the other hubs, over which it also reaches a spoke; and the spokes whose hub is fixed."""
        members = [hub.name for hub in self._fleet.hubs if hub.name not in self._pending and hub.name != host.name]
        if host.role != "hub" or not members:
            return None
        return {"members": members, "fixed": self._plain}

    def _interface_addresses(self, host: Host) -> list[str]:
        """With the overlay's prefix length, so that no host needs a route per peer."""
        length = {network.version: network.length for network in self._fleet.overlay}
        return [f"{address}/{length[address.version]}" for address in self._placed.addresses[host.name]]

    def _cluster(self, host: Host) -> dict[str, object] | None:
        """On a hub, all hubs whose keys are known, itself included: they share their state."""
        if host.role != "hub" or host.name in self._pending:
            return None
        members = [
            {
                "name": hub.name,
                "public_key": self._placed.public_keys[hub.name],
                "address": str(self._placed.addresses[hub.name][0]),
            }
            for hub in self._fleet.hubs
            if hub.name not in self._pending
        ]
        return {"port": self._fleet.cluster_port, "members": members}

    def _peer_of_spoke(self, spoke: Host, hub: Host, routed: list[Network]) -> dict[str, object]:
        is_active = self._active[spoke.name] == hub.name
        networks = self._hub_addresses[hub.name] if spoke.has_agent else []
        if is_active:
            networks = _own_first(networks, routed)
        return self._peer(hub, _texts(networks), spoke.keepalive_s, is_active, spoke)

    def _peer_of_hub(self, hub: Host, peer: Host) -> dict[str, object]:
        if peer.role == "hub":
            return self._peer(peer, self._behind[hub.name][peer.name], hub.keepalive_s, False, hub)
        is_active = self._active[peer.name] == hub.name
        allowed_ips = self._own_texts[peer.name] if peer.has_agent or is_active else []
        return self._peer(peer, allowed_ips, 0, is_active, hub)

    def _peer(
        self, peer: Host, allowed_ips: list[str], keepalive_s: int, is_preferred: bool, host: Host
    ) -> dict[str, object]:
        """Nobody could tell a plain spoke a preshared key, so there is none with it."""
        return {
            "name": peer.name,
            "role": peer.role,
            "public_key": self._placed.public_keys[peer.name],
            "endpoint": str(peer.endpoint) if peer.endpoint else None,
            "allowed_ips": allowed_ips,
            "persistent_keepalive": keepalive_s,
            "preshared": self._fleet.has_preshared_keys and peer.has_agent and host.has_agent,
            "preferred": is_preferred,
        }

    def _addresses_of(self, host: Host) -> list[Network]:
        return sorted(Network(a.version, a.value, BITS[a.version]) for a in self._placed.addresses[host.name])

    def _alone(self, host: Host) -> list[Network]:
        """The site prefixes that the host shares with nobody."""
        return [prefix for prefix in host.site_prefixes if prefix not in self._sites.prefixes]

    def _networks_behind_hubs(self, viewer: str) -> dict[str, list[str]]:
        carried = self._sites.carried(viewer)
        behind = {hub.name: self._alone(hub) + carried.get(hub.name, []) for hub in self._fleet.hubs}
        for spoke in self._fleet.spokes:
            hub = self._active[spoke.name]
            if hub is not None and not spoke.has_agent and spoke.name in self._placed.public_keys:
                behind[hub].extend(self._own[spoke.name])
        return {hub: _texts(_own_first(self._hub_addresses[hub], networks)) for hub, networks in behind.items()}

    def _supernets_of(self, spoke: Host) -> list[Network]:
        """One that lies inside one of the spoke's own site prefixes would take its LAN away: it is left out."""
        return [net for net in self._fleet.site_supernets if not any(own.covers(net) for own in spoke.site_prefixes)]

    def _routed_by(self, spoke: Host, local: list[Network]) -> list[Network]:
        sites = [prefix for prefix, owner in self._single_sites if owner != spoke.name]
        sites += [prefix for prefix, gateways in self._shared_sites if spoke.name not in gateways]
        return sorted({*self._fleet.overlay, *self._supernets_of(spoke), *sites, *local})


def _group(name: str, members: Sequence[str], allowed_ips: list[str], host: Host) -> dict[str, object]:
    """members: best first. host: whose group it is."""
    return {
        "name": name,
        "members": list(members),
        "allowed_ips": allowed_ips,
        "policy": host.policy,
        "hold_s": host.hold_s,
    }


def _own_first(addresses: Sequence[Network], others: Sequence[Network]) -> list[Network]:
    """All in order, but the first of full length of each family is the peer's own address: its heartbeats go there."""
    own = {address.version: address for address in addresses}
    in_order: list[Network] = [*addresses]
    late: list[Network] = []
    for net in others:
        is_before = net.length == BITS[net.version] and net < own.get(net.version, net)
        (late if is_before else in_order).append(net)
    return [*sorted(in_order), *sorted(late)]


def _texts(networks: Iterable[Network]) -> list[str]:
    return [network.text for network in networks]
