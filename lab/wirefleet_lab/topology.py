# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab looks like; pure data, nothing here touches the machine.

Each region has one documentation network (RFC 5737, RFC 3849) cut into one point-to-point link per host, so every
packet between two hosts crosses the router namespace. Sites behind spokes have prefixes the underlay has no route to:
only a tunnel can carry them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface
from pathlib import Path

# Tunnel interfaces are named <prefix>-<host>, and Linux allows 15 characters: 15 - len("-spoke-1").
MAX_PREFIX_CHARS = 7
UNDERLAY = "underlay"
UNDERLAY_LINK = "eth0"
LAN_LINK = "lan0"


class LabError(Exception):
    """The lab cannot do what was asked; the hint says what the operator can do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class Link:
    """One point-to-point link: the near end belongs to the host (or LAN), the far end is its gateway."""

    near4: IPv4Interface
    far4: IPv4Interface
    near6: IPv6Interface
    far6: IPv6Interface


def make_link(network4: str, network6: str) -> Link:
    """The far end has the first address of each network, the near end the second."""
    length4 = network4.partition("/")[2]
    length6 = network6.partition("/")[2]
    base4 = IPv4Interface(network4).network.network_address
    base6 = IPv6Interface(network6).network.network_address
    return Link(
        near4=IPv4Interface(f"{base4 + 2}/{length4}"),
        far4=IPv4Interface(f"{base4 + 1}/{length4}"),
        near6=IPv6Interface(f"{base6 + 2}/{length6}"),
        far6=IPv6Interface(f"{base6 + 1}/{length6}"),
    )


@dataclass(frozen=True)
class Host:
    """A fleet host: one namespace, one link to the underlay router."""

    name: str
    region: str
    underlay: Link


@dataclass(frozen=True)
class Lan:
    """A machine on a site network; its gateway is the far end of the link, in the host's namespace."""

    name: str
    behind: str
    site: Link


HOSTS: tuple[Host, ...] = (
    Host("hub-1", "eu", make_link("192.0.2.0/30", "2001:db8:1:1::/64")),
    Host("hub-2", "us", make_link("198.51.100.0/30", "2001:db8:2:1::/64")),
    Host("hub-3", "ap", make_link("203.0.113.0/30", "2001:db8:3:1::/64")),
    Host("spoke-1", "eu", make_link("192.0.2.4/30", "2001:db8:1:2::/64")),
    Host("spoke-2", "us", make_link("198.51.100.4/30", "2001:db8:2:2::/64")),
    Host("spoke-3", "ap", make_link("203.0.113.4/30", "2001:db8:3:2::/64")),
)
LANS: tuple[Lan, ...] = (
    Lan("lan-1", "spoke-1", make_link("10.101.1.0/24", "fd57:6c61:101::/64")),
    Lan("lan-2", "spoke-2", make_link("10.101.2.0/24", "fd57:6c61:102::/64")),
)
REGIONS: tuple[str, ...] = ("eu", "us", "ap")


@dataclass(frozen=True)
class Lab:
    """One lab on this machine. Several run beside each other when prefix and state directory differ."""

    prefix: str
    state: Path
    hosts: tuple[Host, ...] = field(default=HOSTS)
    lans: tuple[Lan, ...] = field(default=LANS)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", self.prefix) or len(self.prefix) > MAX_PREFIX_CHARS:
            raise LabError(
                f"{self.prefix!r} cannot be a lab prefix",
                f"use at most {MAX_PREFIX_CHARS} letters, digits and dashes: tunnel names are <prefix>-<host>",
            )

    def namespace(self, name: str) -> str:
        """Namespace of a host, a LAN or the underlay router."""
        return f"{self.prefix}-{name}"

    def tunnel(self, host: str) -> str:
        """Tunnel interface of a host; unique per machine, because UAPI sockets share one directory."""
        return f"{self.prefix}-{host}"

    def root(self, host: str) -> Path:
        """The directory that the host's agent takes for its root directory."""
        return self.state / "hosts" / host

    @property
    def namespaces(self) -> tuple[str, ...]:
        names = [UNDERLAY, *(host.name for host in self.hosts), *(lan.name for lan in self.lans)]
        return tuple(self.namespace(name) for name in names)
