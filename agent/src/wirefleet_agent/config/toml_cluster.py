# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""``[cluster]`` of ``<tunnel>.toml``: who the hubs are that share their state, this one among them. No secret in it.

::

    [cluster]
    port = 51822             # TCP, on the overlay addresses
    members = [{ key = "BASE64=", address = "10.86.0.1" }, { key = "...", address = "10.86.0.2" }, ...]

The key that the members authenticate each other with is not here: it is handed over with the request that applies the
files, and kept in the key store.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ..keys import PublicKey
from .problems import Problems, ValueProblem, did_you_mean, quote

MAX_MEMBERS = 7
_KEYS = ("port", "members")
_MEMBER_KEYS = ("key", "address")
Report = Callable[[str, str, str | None], None]
"""(key, message, hint)"""


@dataclass(frozen=True)
class ClusterMember:
    """address: on the overlay, in its canonical form."""

    key: PublicKey
    address: str


@dataclass(frozen=True)
class ClusterOptions:
    """members: in the order of their keys, so that two files that say the same are equal."""

    port: int
    members: tuple[ClusterMember, ...]

    def member(self, key: PublicKey) -> ClusterMember | None:
        return next((member for member in self.members if member.key == key), None)


def read_cluster(section: Mapping[str, object], report: Report) -> ClusterOptions | None:
    """The section; None if anything in it is wrong, which ``report`` was told then."""
    problems: list[tuple[str, str, str | None]] = []
    for key in section:
        if key not in _KEYS:
            problems.append((key, "unknown key", did_you_mean(key, _KEYS)))
    port = section.get("port")
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65535:
        problems.append(("port", "a port is a number from 1 to 65535", "write port = 51822"))
    members: list[ClusterMember] = []
    found = section.get("members")
    if not isinstance(found, list) or not 1 <= len(found) <= MAX_MEMBERS:
        hint = 'write members = [{ key = "...", address = "10.86.0.1" }, ...]'
        problems.append(("members", f"this is a list of 1 to {MAX_MEMBERS} members", hint))
    else:
        for table in found:
            try:
                members.append(_member(table))
            except ValueProblem as problem:
                problems.append(("members", problem.message, problem.hint))
    for what, seen in (("key", [m.key for m in members]), ("address", [m.address for m in members])):
        if len(set(seen)) < len(seen):
            problems.append(("members", f"two members have the same {what}", None))
    for each in problems:
        report(*each)
    if problems or not isinstance(port, int):
        return None
    return ClusterOptions(port, tuple(sorted(members, key=lambda member: member.key.raw)))


def check_cluster(
    options: ClusterOptions, own_key: PublicKey | None, own_addresses: set[str], problems: Problems
) -> None:
    """This host is a member, under an address that it has on the overlay. own_key: None if it is not known yet."""
    if own_key is None:
        return
    own = options.member(own_key)
    if own is None:
        problems.add(
            "this host is not among the members",
            key="[cluster] members",
            hint=f"add the key {own_key}, or remove the section",
        )
    elif own.address not in own_addresses:
        problems.add(
            f"{own.address} is not an address of this tunnel",
            key="[cluster] members",
            hint="a member's address is one of its Address lines",
        )


def cluster_lines(options: ClusterOptions) -> Iterator[str]:
    """The section as text."""
    yield "[cluster]"
    yield f"port = {options.port}"
    yield "members = ["
    yield from (f'  {{ key = "{member.key}", address = "{member.address}" }},' for member in options.members)
    yield "]"


def _member(found: object) -> ClusterMember:
    if not isinstance(found, dict):
        raise ValueProblem("a member has a key and an address", 'write { key = "...", address = "10.86.0.1" }')
    for name in found:
        if name not in _MEMBER_KEYS:
            raise ValueProblem("unknown key of a member", did_you_mean(name, _MEMBER_KEYS))
    key, address = found.get("key"), found.get("address")
    if not isinstance(key, str) or not isinstance(address, str):
        raise ValueProblem("a member has a key and an address, both texts", 'write { key = "...", address = "..." }')
    try:
        canonical = ipaddress.ip_address(address)
    except ValueError:
        raise ValueProblem(f"{quote(address)} is no IP address") from None
    if isinstance(canonical, ipaddress.IPv6Address) and canonical.scope_id is not None:
        raise ValueProblem("a member's address has no scope")
    try:
        return ClusterMember(PublicKey.from_base64(key), str(canonical))
    except ValueError as error:
        raise ValueProblem(str(error)) from None
