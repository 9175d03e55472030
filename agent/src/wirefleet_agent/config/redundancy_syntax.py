# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The redundancy of ``<tunnel>.toml``: heartbeats, groups and relays.

::

    [heartbeat]                      # its presence switches heartbeats on
    port = 51821                     # UDP, on the host's overlay addresses
    interval_ms = 500                # 50..10000
    misses = 3                       # 2..20: a peer is down after as many intervals without an answer

    [[groups]]                       # on a spoke: its hubs
    name = "hubs"
    members = ["K1=", "K2=", "K3="]  # 2..16 peers of the .conf, best first
    allowed_ips = ["10.86.0.0/16"]   # of the member, in the .conf, that starts active
    policy = "active_standby"        # or "priority_preempt": back to a better member
    hold_s = 30                      # that has been well for so long

    [relays]                         # on a hub
    members = ["K2=", "K3="]         # the other hubs: every other peer may come by them
    fixed = ["S9="]                  # but these

``[[sites]]`` are in ``site_syntax``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import get_args

from ..keys import PublicKey
from . import values
from .model import (
    AgentOptions,
    GroupConfig,
    GroupPolicy,
    HeartbeatConfig,
    PeerConfig,
    Prefix,
    RelaysConfig,
    SiteConfig,
    TunnelConfig,
)
from .ownership import first_addresses, grouped_prefixes
from .problems import quote
from .toml_reader import TomlReader

MIN_MEMBERS = 2
MAX_MEMBERS = 16
MAX_RELAYS = MAX_MEMBERS - 1
MAX_GROUPS = 1024
_Shared = GroupConfig | SiteConfig
_MAX_HOLD_S = 86400
GROUP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")


def read_heartbeat(document: Mapping[str, object], reader: TomlReader) -> HeartbeatConfig | None:
    if "heartbeat" not in document:
        return None
    table = reader.section(document, "heartbeat", ("port", "interval_ms", "misses"))
    usual = HeartbeatConfig()
    return HeartbeatConfig(
        port=reader.number("heartbeat", table, "port", 1, 65535, usual.port),
        interval_ms=reader.number("heartbeat", table, "interval_ms", 50, 10000, usual.interval_ms),
        misses=reader.number("heartbeat", table, "misses", 2, 20, usual.misses),
    )


def read_groups(document: Mapping[str, object], reader: TomlReader) -> tuple[GroupConfig, ...]:
    """Names and prefixes of one group are not those of another one; a group with a problem is there all the same."""
    groups: list[GroupConfig] = []
    names: set[str] = set()
    owners: dict[Prefix, str] = {}
    for section, table in reader.sections(document, "groups", ("name", "members", "allowed_ips", "policy", "hold_s")):
        group = _group(section, table, reader)
        refuse_taken(section, group, names, owners, "group", reader)
        groups.append(group)
    if len(groups) > MAX_GROUPS:
        reader.problem("", "groups", f"{len(groups)} groups are too many", f"at most {MAX_GROUPS}")
    return tuple(groups)


def refuse_taken(
    section: str, one: _Shared, names: set[str], owners: dict[Prefix, str], what: str, reader: TomlReader
) -> None:
    """A name or a prefix that another one has already. names, owners: taken so far, those of this one come to them."""
    if one.name and one.name in names:
        reader.problem(section, "name", f"a second {what} {quote(one.name)}", "rename one, or join the two")
    names.add(one.name)
    for prefix in one.allowed_ips:
        if owners.setdefault(prefix, section) != section:
            hint = "a prefix has one owner: keep it in one of them"
            reader.problem(section, "allowed_ips", f"{prefix} belongs to another {what}", hint)


def read_relays(document: Mapping[str, object], reader: TomlReader) -> RelaysConfig | None:
    if "relays" not in document:
        return None
    table = reader.section(document, "relays", ("members", "fixed"))
    members = reader.different("relays", table, "members", values.parse_public_key)
    fixed = reader.different("relays", table, "fixed", values.parse_public_key)
    if not 1 <= len(members) <= MAX_RELAYS:
        reader.problem("relays", "members", f"relays are 1 to {MAX_RELAYS} peers", "list the other hubs")
    for key in fixed:
        if key in members:
            reader.problem("relays", "fixed", f"{key} is a relay as well", "keep it in one of the lists")
    return RelaysConfig(members, fixed)


def check_redundancy(config: TunnelConfig, reader: TomlReader) -> None:
    """What the .toml says against what the .conf says."""
    options = config.options
    if not (options.heartbeat or options.groups or options.sites or options.relays):
        return
    by_key = {peer.public_key: peer for peer in config.peers}
    if options.heartbeat is not None and options.heartbeat.port == config.interface.listen_port:
        hint = "51821 is usual beside 51820"
        reader.problem("heartbeat", "port", "this is the tunnel's ListenPort", hint)
    owners: dict[Prefix, PublicKey] = {}
    if options.groups or options.sites:
        owners = {prefix: peer.public_key for peer in by_key.values() for prefix in peer.allowed_ips}
    shared: list[tuple[str, _Shared]] = [(f"groups.{number}", group) for number, group in enumerate(options.groups)]
    shared += [(f"sites.{number}", site) for number, site in enumerate(options.sites)]
    for section, group in shared:
        _check_peers(section, "members", group.members, by_key, reader)
        _check_prefixes(section, group, owners, reader)
        _check_own_addresses(section, group, by_key, reader)
    if options.relays is not None:
        _check_peers("relays", "members", options.relays.members, by_key, reader)
        _check_peers("relays", "fixed", options.relays.fixed, by_key, reader)
    if options.heartbeat is not None:
        _check_addresses(options, by_key, reader)


def _group(section: str, table: Mapping[str, object], reader: TomlReader) -> GroupConfig:
    name = reader.get(section, table, "name", str)
    if name is None or not GROUP_NAME.fullmatch(name):
        hint = '1 to 32 letters, digits, . _ or -, as in name = "hubs"'
        reader.problem(section, "name", "a group needs a name", hint)
    members = reader.different(section, table, "members", values.parse_public_key)
    if not MIN_MEMBERS <= len(members) <= MAX_MEMBERS:
        message = f"a group has {MIN_MEMBERS} to {MAX_MEMBERS} members, not {len(members)}"
        reader.problem(section, "members", message, "list the public keys of its members, best first")
    prefixes = reader.different(section, table, "allowed_ips", values.parse_prefix)
    if not prefixes:
        reader.problem(section, "allowed_ips", "a group owns at least one prefix", 'as in ["10.86.0.0/16"]')
    return GroupConfig(
        name or "",
        members,
        prefixes,
        reader.choice(section, table, "policy", get_args(GroupPolicy)) or "active_standby",
        reader.number(section, table, "hold_s", 0, _MAX_HOLD_S, 30),
    )


def _check_peers(
    section: str, key: str, members: Iterable[PublicKey], peers: Mapping[PublicKey, PeerConfig], reader: TomlReader
) -> None:
    for member in members:
        if member not in peers:
            reader.problem(section, key, f"{member} is no peer of the .conf", "add the peer, or take it out here")


def _check_prefixes(section: str, group: _Shared, owners: Mapping[Prefix, PublicKey], reader: TomlReader) -> None:
    """Each is in the .conf, and all of them at one member."""
    active: PublicKey | None = None
    for prefix in group.allowed_ips:
        owner = owners.get(prefix)
        if owner is None or owner not in group.members:
            but = "" if owner is None else f" but among those of {owner}"
            message = f"{prefix} is not among the AllowedIPs of a member in the .conf{but}"
            reader.problem(section, "allowed_ips", message, "there the member that starts active has it")
        elif active is None:
            active = owner
        elif owner != active:
            what = "site" if isinstance(group, SiteConfig) else "group"
            message = f"in the .conf {prefix} is at {owner}, but others of the {what} are at {active}"
            reader.problem(section, "allowed_ips", message, "one member starts active: give it all of them there")


def _check_own_addresses(
    section: str, group: _Shared, peers: Mapping[PublicKey, PeerConfig], reader: TomlReader
) -> None:
    """A group or a site must not own a member's overlay address: another member could speak in its name."""
    for member in group.members:
        peer = peers.get(member)
        for prefix in () if peer is None else first_addresses(peer):
            if prefix in group.allowed_ips:
                message = f"{prefix} is the address of {member} itself, which no other member may have"
                hint = "take it out here; a member's own address is the first /32 and /128 of its AllowedIPs"
                reader.problem(section, "allowed_ips", message, hint)


def _check_addresses(options: AgentOptions, peers: Mapping[PublicKey, PeerConfig], reader: TomlReader) -> None:
    """Heartbeats go to an address that is the member's own."""
    grouped = grouped_prefixes(options)
    lists = [(f"groups.{number}", group.members) for number, group in enumerate(options.groups)]
    lists += [(f"sites.{number}", site.members) for number, site in enumerate(options.sites)]
    if options.relays is not None:
        lists.append(("relays", options.relays.members))
    for section, members in lists:
        for member in members:
            peer = peers.get(member)
            if peer is not None and not any(
                prefix.prefixlen == prefix.max_prefixlen and prefix not in grouped for prefix in peer.allowed_ips
            ):
                message = f"{member} has no address of its own that heartbeats could go to"
                reader.problem(section, "members", message, "add its /32 or /128 to its AllowedIPs in the .conf")
