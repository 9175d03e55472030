# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Who owns which prefixes once groups are taken into account: the .conf knows peers only.

A prefix of a ``[[groups]]`` entry is the group's and no longer the peer's that has it in the .conf; that peer starts
active. So it is with the prefixes of a ``[[sites]]`` entry, whose group has the site's gateways and the relays; the
gateway that has the prefixes in the .conf is direct and active at first. On a hub with ``[relays]`` every peer with
AllowedIPs that is neither a relay nor fixed is a group of its own, called by its public key: the peer, which is direct
and starts active, and the relays.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ..keys import PublicKey
from .model import AgentOptions, PeerConfig, Prefix, TunnelConfig


@dataclass(frozen=True, slots=True)
class OwningGroup:
    """A group of the tunnel. start: who is active at first. direct: the member that the prefixes are of, or None.

    gateways: members that may take the place of the direct one, it among them; empty if there is none.
    """

    name: str
    members: tuple[PublicKey, ...]
    prefixes: tuple[Prefix, ...]
    start: PublicKey
    direct: PublicKey | None = None
    gateways: tuple[PublicKey, ...] = ()

    @property
    def is_spokes(self) -> bool:
        """The prefixes are of one member only."""
        return self.direct is not None and not self.gateways


@dataclass(frozen=True)
class Ownership:
    """peers: by peer what it owns alone, those without any included. groups: by name."""

    peers: Mapping[PublicKey, tuple[Prefix, ...]] = field(default_factory=dict)
    groups: Mapping[str, OwningGroup] = field(default_factory=dict)


def ownership(config: TunnelConfig) -> Ownership:
    """As the configuration wants it; it is a valid one."""
    options = config.options
    owners: dict[Prefix, PublicKey] = {}
    if options.groups or options.sites:
        owners = {prefix: peer.public_key for peer in config.peers for prefix in peer.allowed_ips}
    grouped = grouped_prefixes(options)
    groups = {
        group.name: OwningGroup(group.name, group.members, group.allowed_ips, owners[group.allowed_ips[0]])
        for group in options.groups
    }
    relays = () if options.relays is None else options.relays.members
    for site in options.sites:
        start = owners[site.allowed_ips[0]]
        members = (*site.members, *relays)
        groups[site.name] = OwningGroup(site.name, members, site.allowed_ips, start, start, site.members)
    plain = frozenset() if options.relays is None else frozenset((*relays, *options.relays.fixed))
    peers: dict[PublicKey, tuple[Prefix, ...]] = {}
    for peer in config.peers:
        key, own = peer.public_key, peer.allowed_ips
        if grouped:
            own = tuple(prefix for prefix in own if prefix not in grouped)
        if relays and own and key not in plain:
            name = str(key)
            groups[name] = OwningGroup(name, (key, *relays), own, key, key)
            own = ()
        peers[key] = own
    return Ownership(peers, groups)


def heartbeat_addresses(config: TunnelConfig) -> dict[PublicKey, tuple[Prefix, ...]]:
    """By peer where its heartbeats go: its first /32 and its first /128 that no group and no site has."""
    grouped = grouped_prefixes(config.options)
    return {peer.public_key: first_addresses(peer, grouped) for peer in config.peers}


def grouped_prefixes(options: AgentOptions) -> set[Prefix]:
    """What groups and sites own."""
    of_groups = {prefix for group in options.groups for prefix in group.allowed_ips}
    return of_groups | {prefix for site in options.sites for prefix in site.allowed_ips}


def first_addresses(peer: PeerConfig, grouped: Collection[Prefix] = ()) -> tuple[Prefix, ...]:
    """Its first /32 and its first /128 that are not ``grouped``, in its own order."""
    first: dict[int, Prefix] = {}
    for prefix in peer.allowed_ips:
        if prefix.prefixlen == prefix.max_prefixlen and prefix not in grouped:
            first.setdefault(prefix.version, prefix)
    return tuple(first.values())
