# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Which routes a configuration needs, in which table, and when policy rules must carry a default route.

As wg-quick(8) does it. ``Table = auto``: a route per allowed IP in the main table, except what is covered already; a
default route goes to a table of its own, and two policy rules send everything there that does not carry the tunnel's
own firewall mark. ``Table = N``: every route in table N, no rules. ``Table = off``: nothing. The host's own LANs
(``local_networks``) get none, whatever the table: the host reaches them itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from .model import InterfaceConfig, PeerConfig, Prefix, Route, TunnelConfig

DEFAULT_FWMARK = 51820
MAIN_TABLE = 254
_RESERVED_TABLES = range(253, 256)


def needed_routes(
    interface: InterfaceConfig, peers: Iterable[PeerConfig], local: Collection[Prefix] = ()
) -> set[Prefix]:
    """The prefixes that need a route: each allowed IP that no wider one and no network of the interface covers.

    A default route covers nothing: with ``Table = auto`` it stands in another table. local: prefixes that are of the
    host's own LAN; they need none and cover nothing either.
    """
    if interface.table == "off":
        return set()
    prefixes: set[Prefix] = {prefix for peer in peers for prefix in peer.allowed_ips}.difference(local)
    defaults: set[Prefix] = {prefix for prefix in prefixes if prefix.prefixlen == 0}
    own: set[Prefix] = set()
    if interface.table in ("auto", MAIN_TABLE):
        own = {address.network for address in interface.addresses}
    if interface.table != "auto" and defaults:
        versions = {prefix.version for prefix in defaults}
        return defaults | _uncovered({prefix for prefix in prefixes if prefix.version not in versions}, own)
    return defaults | _uncovered(prefixes - defaults, own)


def _uncovered(prefixes: set[Prefix], own: set[Prefix]) -> set[Prefix]:
    """One pass over the sorted prefixes: whoever covers the next one is the last one that nobody covers."""
    ordered = sorted((p.version, int(p.network_address), p.prefixlen, p) for p in prefixes | own)
    kept: set[Prefix] = set()
    last: tuple[int, int] = (0, 0)
    for version, first_address, length, prefix in ordered:
        end = first_address + (1 << (prefix.max_prefixlen - length))
        if version == last[0] and end <= last[1]:
            continue
        last = (version, end)
        if prefix not in own:
            kept.add(prefix)
    return kept


def planned_routes(config: TunnelConfig) -> set[Route]:
    """``needed_routes``, each in its table."""
    table = config.interface.table
    number = None if table in ("auto", "off", MAIN_TABLE) else int(table)
    rules = default_route_rules(config)
    return {
        Route(prefix, rules if rules is not None and prefix.prefixlen == 0 else number)
        for prefix in needed_routes(config.interface, config.peers, config.options.local_networks)
    }


def default_route_rules(config: TunnelConfig) -> int | None:
    """The number that is both the firewall mark and the table of the default route; None if rules are not needed."""
    if config.interface.table != "auto":
        return None
    defaults = {prefix for peer in config.peers for prefix in peer.allowed_ips if prefix.prefixlen == 0}
    if defaults <= set(config.options.local_networks):
        return None
    number = config.interface.fwmark or config.interface.listen_port or DEFAULT_FWMARK
    return DEFAULT_FWMARK if number in _RESERVED_TABLES else number


def effective_fwmark(config: TunnelConfig) -> int:
    """The mark of the tunnel's own datagrams: the configured one, or the one that the policy rules need."""
    return default_route_rules(config) or config.interface.fwmark
