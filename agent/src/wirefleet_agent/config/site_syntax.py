# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""LANs with several gateways: ``[[sites]]`` of a hub, and ``local_networks`` of a gateway.

::

    [host]
    local_networks = ["10.1.0.0/16"]  # the host's own LAN: accepted from peers that have it, never routed to them

    [[sites]]                         # on a hub: a LAN behind several spokes
    name = "site-10.1.0.0-16"
    members = ["S1=", "S2="]          # its gateways, 2..16 peers of the .conf, best first
    allowed_ips = ["10.1.0.0/16"]     # of the gateway, in the .conf, that is used first
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..keys import PublicKey
from . import values
from .model import GroupConfig, Prefix, SiteConfig, TunnelConfig
from .redundancy_syntax import GROUP_NAME, MAX_MEMBERS, MIN_MEMBERS, refuse_taken
from .toml_reader import TomlReader

MAX_SITES = 8192
_NETWORKS = "local_networks"


def read_local_networks(host: Mapping[str, object], reader: TomlReader) -> tuple[Prefix, ...]:
    """host: the section ``[host]``."""
    return reader.different("host", host, _NETWORKS, values.parse_prefix)


def read_sites(
    document: Mapping[str, object], groups: Sequence[GroupConfig], reader: TomlReader
) -> tuple[SiteConfig, ...]:
    """groups: those that were read; a name or a prefix of one is no site's. A site with a problem is there as well."""
    sites: list[SiteConfig] = []
    names = {group.name for group in groups}
    owners: dict[Prefix, str] = {prefix: "groups" for group in groups for prefix in group.allowed_ips}
    for section, table in reader.sections(document, "sites", ("name", "members", "allowed_ips")):
        site = _site(section, table, reader)
        refuse_taken(section, site, names, owners, "group or site", reader)
        sites.append(site)
    if len(sites) > MAX_SITES:
        reader.problem("", "sites", f"{len(sites)} sites are too many", f"at most {MAX_SITES}")
    return tuple(sites)


def check_sites(config: TunnelConfig, reader: TomlReader) -> None:
    """What ``check_redundancy`` leaves: gateways that are something else as well, and networks that nobody has."""
    options = config.options
    taken: dict[PublicKey, str] = {}
    if options.relays is not None:
        taken = dict.fromkeys(options.relays.members, "a relay") | dict.fromkeys(options.relays.fixed, "fixed")
    for number, site in enumerate(options.sites):
        for key in site.members:
            if key in taken:
                hint = "gateways of a site are spokes with an agent; hubs that share a LAN are a group"
                reader.problem(f"sites.{number}", "members", f"{key} is {taken[key]} as well", hint)
    accepted = {prefix for peer in config.peers for prefix in peer.allowed_ips} if options.local_networks else set()
    of_sites = {prefix for site in options.sites for prefix in site.allowed_ips}
    for prefix in options.local_networks:
        if prefix not in accepted:
            hint = "add it to those of the LAN's other gateways or of the hubs, or take it out here"
            reader.problem("host", _NETWORKS, f"{prefix} is not among the AllowedIPs of any peer in the .conf", hint)
        elif prefix in of_sites:
            hint = "a hub that is on the LAN itself needs no gateways: take it out here or in [[sites]]"
            reader.problem("host", _NETWORKS, f"{prefix} is behind the gateways of a site", hint)


def _site(section: str, table: Mapping[str, object], reader: TomlReader) -> SiteConfig:
    name = reader.get(section, table, "name", str)
    if name is None or not GROUP_NAME.fullmatch(name):
        hint = '1 to 32 letters, digits, . _ or -, as in name = "site-10.1.0.0-16"'
        reader.problem(section, "name", "a site needs a name", hint)
    members = reader.different(section, table, "members", values.parse_public_key)
    if not MIN_MEMBERS <= len(members) <= MAX_MEMBERS:
        message = f"a site has {MIN_MEMBERS} to {MAX_MEMBERS} gateways, not {len(members)}"
        hint = "list their public keys, best first; a LAN behind one host needs no site"
        reader.problem(section, "members", message, hint)
    prefixes = reader.different(section, table, "allowed_ips", values.parse_prefix)
    if not prefixes:
        reader.problem(section, "allowed_ips", "a site has at least one prefix", 'as in ["10.1.0.0/16"]')
    return SiteConfig(name or "", members, prefixes)
