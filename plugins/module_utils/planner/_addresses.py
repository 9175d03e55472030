# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Overlay addresses: kept from the lock, fixed by the operator, or the lowest free ones.

A host's addresses of both families share their host part where that is possible (10.86.0.7 and fd86::7). The network
and broadcast addresses of IPv4 and the subnet-router anycast address of IPv6 (RFC 4291 2.6.1) are nobody's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ..problems import Problems, shorten
from ._lock import Lock
from ._model import Fleet, Host
from ._networks import Address, Network


def usable_hosts(network: Network) -> range:
    """Host parts that may be given away."""
    return range(1, network.size - 1) if network.version == 4 else range(1, network.size)


def allocate(
    fleet: Fleet, lock: Lock, reserved: Mapping[str, tuple[Address, ...]], renumber: bool, problems: Problems
) -> dict[str, tuple[Address, ...]]:
    """Addresses of every host, one per overlay network, in the order of the fleet.

    reserved: addresses of removed hosts. Hosts that are in the lock keep theirs; new ones are served hubs first.
    """
    claims = _Claims(fleet.overlay, problems)
    held = {name: _held(host, fleet, lock, renumber, problems) for name, host in fleet.hosts.items()}
    for name, kept in reserved.items():
        claims.claim(f"{name} (removed)", kept)
    for name, addresses in held.items():
        claims.claim(name, addresses.values())
    claims.report_duplicates()
    allocated: dict[str, tuple[Address, ...]] = {}
    unserved: dict[Network, list[str]] = {}
    for name, addresses in held.items():
        for network, address in claims.complete(addresses).items():
            if address is None:
                unserved.setdefault(network, []).append(name)
            else:
                addresses[network] = address
        allocated[name] = tuple(addresses[network] for network in fleet.overlay if network in addresses)
    _report_exhaustion(unserved, problems)
    return allocated


def _held(host: Host, fleet: Fleet, lock: Lock, renumber: bool, problems: Problems) -> dict[Network, Address]:
    """What the host already has: the operator's choice first, then the lock's."""
    held: dict[Network, Address] = {}
    for address in host.fixed_addresses:
        network = _network_of(address, fleet.overlay)
        if network is None or network in held:
            problem = "is no host address of the overlay" if network is None else "is a second address of one family"
            problems.add(
                f"address {address} {problem}",
                hosts=(host.name,),
                path="wirefleet_addresses",
                hint=f"overlay: {', '.join(map(str, fleet.overlay))}",
            )
        else:
            held[network] = address
    for address in lock.addresses_of(host.name):
        network = _network_of(address, fleet.overlay)
        if network is not None:
            held.setdefault(network, address)
        elif not renumber and all(known.version != address.version for known in held.values()):
            problems.add(
                "the locked address lies outside of the overlay",
                hosts=(host.name,),
                path="overlay_prefixes",
                hint="put the former prefix back, or give these hosts new addresses: -e wirefleet_renumber=true",
            )
    return held


def _network_of(address: Address, overlay: Iterable[Network]) -> Network | None:
    for network in overlay:
        if network.contains(address) and (address.value - network.first) in usable_hosts(network):
            return network
    return None


class _Claims:
    """Who holds which address, and which host part is free next."""

    def __init__(self, overlay: tuple[Network, ...], problems: Problems) -> None:
        self._overlay = overlay
        self._problems = problems
        self._owners: dict[Address, list[str]] = {}
        self._next_common = 1
        self._next_of = dict.fromkeys(overlay, 1)

    def claim(self, name: str, addresses: Iterable[Address]) -> None:
        for address in addresses:
            self._owners.setdefault(address, []).append(name)

    def report_duplicates(self) -> None:
        for address, owners in self._owners.items():
            if len(owners) > 1:
                self._problems.add(
                    f"address {address} is held by several hosts",
                    hosts=owners,
                    path="wirefleet_addresses",
                    hint="fix another address for one of them, or free that of a removed host: "
                    "-e wirefleet_release_removed=HOST",
                )

    def complete(self, held: Mapping[Network, Address]) -> dict[Network, Address | None]:
        """Addresses for the networks in which the host has none yet; None where there is no free one."""
        missing = [network for network in self._overlay if network not in held]
        found: dict[Network, Address | None] = {}
        if missing:
            part = self._common_part(held, missing)
            for network in missing:
                found[network] = self._take(network, part)
        return found

    def _common_part(self, held: Mapping[Network, Address], missing: list[Network]) -> int | None:
        """A host part that is free in all missing networks: that of the address it holds, else the lowest."""
        if held:
            network, address = next(iter(held.items()))
            part = address.value - network.first
            return part if all(self._is_free(other, part) for other in missing) else None
        lowest = next(self._parts_from(self._next_common, missing), None)
        if lowest is not None:
            self._next_common = lowest + 1
        return lowest

    def _parts_from(self, start: int, networks: list[Network]) -> Iterator[int]:
        for part in range(start, min(usable_hosts(network).stop for network in networks)):
            if all(self._is_free(network, part) for network in networks):
                yield part

    def _take(self, network: Network, part: int | None) -> Address | None:
        if part is None:
            part = next(self._parts_from(self._next_of[network], [network]), None)
            if part is None:
                return None
            self._next_of[network] = part + 1
        address = Address(network.version, network.first + part)
        self._owners[address] = []
        return address

    def _is_free(self, network: Network, part: int) -> bool:
        return part in usable_hosts(network) and Address(network.version, network.first + part) not in self._owners


def _report_exhaustion(unserved: Mapping[Network, list[str]], problems: Problems) -> None:
    for network, names in unserved.items():
        problems.add(
            f"the overlay {network} has no free address for {shorten(names)} (it has {len(usable_hosts(network))})",
            hosts=names,
            path="overlay_prefixes",
            hint="widen the prefix (hosts keep their addresses), or free those of removed hosts: "
            "-e wirefleet_release_removed=HOST",
        )
