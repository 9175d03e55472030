# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses and networks as plain integers with their canonical text.

Parsing, arithmetic and formatting are netaddr's; the values are kept as integers, as the planner compares each of
them many times.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

try:
    import netaddr

    HAS_NETADDR = True
except ImportError:  # pragma: no cover - reported by require_netaddr
    HAS_NETADDR = False

from ..problems import PlanError, Problem

Version = Literal[4, 6]
BITS: dict[Version, int] = {4: 32, 6: 128}


def require_netaddr() -> None:
    """Raise PlanError if the library is missing on the controller."""
    if not HAS_NETADDR:
        raise PlanError(Problem("the Python library netaddr is missing on the controller", hint="pip install netaddr"))


@dataclass(frozen=True, order=True)
class Address:
    """One IPv4 or IPv6 address."""

    version: Version
    value: int

    def __str__(self) -> str:
        return format_address(self.version, self.value)


@dataclass(frozen=True, order=True)
class Network:
    """An IPv4 or IPv6 prefix without host bits. Sorts by family, first address, then wide before narrow."""

    version: Version
    first: int
    length: int

    @functools.cached_property
    def last(self) -> int:
        return self.first + self.size - 1

    @property
    def size(self) -> int:
        return 1 << (BITS[self.version] - self.length)

    @functools.cached_property
    def text(self) -> str:
        return f"{format_address(self.version, self.first)}/{self.length}"

    def __str__(self) -> str:
        return self.text

    def contains(self, address: Address) -> bool:
        return address.version == self.version and self.first <= address.value <= self.last

    def covers(self, other: Network) -> bool:
        """Whether the other network lies inside this one or equals it."""
        return other.version == self.version and self.first <= other.first and other.last <= self.last

    def overlaps(self, other: Network) -> bool:
        return other.version == self.version and self.first <= other.last and other.first <= self.last


@functools.lru_cache(maxsize=65536)
def format_address(version: Version, value: int) -> str:
    return str(netaddr.IPAddress(value, version))


def parse_address(text: str) -> Address:
    """An address in its usual notation, without prefix length or zone. Raises ValueError that says what is wrong."""
    try:
        parsed = netaddr.IPAddress(text, flags=netaddr.INET_PTON)
    except (netaddr.AddrFormatError, ValueError) as error:
        raise ValueError(f"{text!r} is not an IPv4 or IPv6 address") from error
    address = Address(6 if parsed.version == 6 else 4, int(parsed))
    if address.version == 6 and parsed.is_ipv4_mapped():
        raise ValueError(f"{text!r} is an IPv4-mapped address; write it as IPv4")
    return address


def parse_network(text: str) -> Network:
    """A prefix in CIDR notation. Raises ValueError that says what is wrong."""
    address_text, slash, length_text = text.partition("/")
    address = parse_address(address_text)
    if not slash or not length_text.isdecimal() or int(length_text) > BITS[address.version]:
        raise ValueError(f"{text!r} is not a network; write it as {address_text}/LENGTH")
    parsed = netaddr.IPNetwork(f"{address}/{int(length_text)}")
    if parsed.first != address.value:
        raise ValueError(f"{text!r} has host bits set; the network is {parsed.cidr}")
    return Network(address.version, parsed.first, parsed.prefixlen)


@functools.lru_cache(maxsize=1 << 17)
def canonical_network(text: str) -> str:
    """A network in its canonical notation; an address alone is one of full length. Raises ValueError."""
    address = text if "/" in text else f"{text}/{BITS[parse_address(text).version]}"
    return parse_network(address).text


def is_unusable(network: Network) -> bool:
    """Whether no host can own an address here: a default route, loopback, link-local, multicast, unspecified."""
    parsed = netaddr.IPNetwork((network.first, network.length), version=network.version)
    return bool(
        network.length == 0
        or parsed.is_loopback()
        or parsed.is_link_local()
        or parsed.is_multicast()
        or (network.first == 0 and network.length == BITS[network.version])
    )
