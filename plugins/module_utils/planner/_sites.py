# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Redundant sites: networks that several hosts, their gateways, have behind them.

Nobody declares a site. Hosts that name the same site prefix are the gateways of one, and prefixes with the same
gateways are one site. A gateway whose key is not known yet is nobody's peer: the others are the site until then.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from ..problems import Problems, shorten
from ._model import Fleet, Host, Site
from ._networks import BITS, Network

# What agents take at most.
MAX_GATEWAYS = 16
MAX_SITES = 8192
MAX_NAME_LENGTH = 32


def prefix_owners(hosts: Mapping[str, Host]) -> dict[Network, list[str]]:
    """Every site prefix with the hosts that name it, in the order of the fleet."""
    owners: dict[Network, list[str]] = {}
    for host in hosts.values():
        for prefix in host.site_prefixes:
            owners.setdefault(prefix, []).append(host.name)
    return owners


def redundant_sites(hosts: Mapping[str, Host]) -> tuple[Site, ...]:
    """In the order of their first prefixes; not yet checked."""
    by_owners: dict[tuple[str, ...], list[Network]] = {}
    for prefix, owners in prefix_owners(hosts).items():
        if len(owners) > 1:
            by_owners.setdefault(tuple(owners), []).append(prefix)
    found = sorted((prefixes, owners) for owners, prefixes in by_owners.items())  # a host's prefixes are in order
    names = _names(prefixes[0] for prefixes, _owners in found)
    return tuple(
        Site(
            name=name,
            role=hosts[owners[0]].role,
            gateways=tuple(sorted(owners, key=lambda owner: hosts[owner].site_priority)),
            prefixes=tuple(prefixes),
        )
        for name, (prefixes, owners) in zip(names, found, strict=True)
    )


def _names(firsts: Iterable[Network]) -> list[str]:
    """As agents take them for a group; only IPv6 prefixes longer than /64 are long enough to be cut."""
    names: dict[str, None] = {}
    for prefix in firsts:
        whole = "site-" + prefix.text.replace("/", "-").replace(":", "-")
        name, number = whole[:MAX_NAME_LENGTH], 1
        while name in names:
            number += 1
            name = f"{whole[: MAX_NAME_LENGTH - 1 - len(str(number))]}-{number}"
        names[name] = None
    return list(names)


def check_sites(fleet: Fleet, problems: Problems) -> None:
    """What makes hosts fit to share a site."""
    if len(fleet.sites) > MAX_SITES:
        problems.add(
            f"{len(fleet.sites)} redundant sites are too many for a hub, which takes {MAX_SITES}",
            path="wirefleet_site_prefixes",
            hint="let the same hosts share several networks: these are one site",
        )
    for site in fleet.sites:
        prefixes = shorten([prefix.text for prefix in site.prefixes])
        gateways = [fleet.hosts[name] for name in site.gateways]
        if len({gateway.role for gateway in gateways}) > 1:
            problems.add(
                f"site prefixes {prefixes} are behind hubs and spokes",
                hosts=site.gateways,
                path="wirefleet_site_prefixes",
                hint="a site has either hubs or spokes as its gateways: take it from the others",
            )
        families = {network.version for network in fleet.overlay}
        for prefix in site.prefixes:
            if prefix.length == BITS[prefix.version] and prefix.version not in families:
                problems.add(
                    f"site prefix {prefix} is one address, and the overlay has no network of its family",
                    hosts=site.gateways,
                    path="wirefleet_site_prefixes",
                    hint="name a wider prefix, or give the overlay a network of both families",
                )
        plain = [gateway.name for gateway in gateways if gateway.role == "spoke" and not gateway.has_agent]
        if plain:
            problems.add(
                f"site prefixes {prefixes} are behind several hosts, of which each needs an agent",
                hosts=plain,
                path="wirefleet_site_prefixes",
                hint="take them from this host, or let it have them alone",
            )
        if len(gateways) > MAX_GATEWAYS:
            problems.add(
                f"site prefixes {prefixes} are behind {len(gateways)} hosts, more than {MAX_GATEWAYS}",
                hosts=site.gateways,
                path="wirefleet_site_prefixes",
                hint="take them from the others",
            )


class KnownSites:
    """The redundant sites as others may know them: with the gateways whose keys are known, best first."""

    def __init__(self, fleet: Fleet, pending: Container[str]) -> None:
        self.prefixes = frozenset(prefix for site in fleet.sites for prefix in site.prefixes)
        self._known: list[tuple[Site, tuple[str, ...]]] = []
        self._by_gateway: dict[str, list[tuple[Site, tuple[str, ...]]]] = {}
        for site in fleet.sites:
            known = site, tuple(name for name in site.gateways if name not in pending)
            self._known.append(known)
            for name in site.gateways:
                self._by_gateway.setdefault(name, []).append(known)

    def seen_by(self, viewer: str | None) -> list[tuple[Site, tuple[str, ...]]]:
        """Sites and those of their known gateways that the viewer has as peers, if it has any. None: somebody else."""
        seen = ((site, tuple(name for name in known if name != viewer)) for site, known in self._known)
        return [(site, gateways) for site, gateways in seen if gateways]

    def carried(self, viewer: str | None) -> dict[str, list[Network]]:
        """By gateway the prefixes that stand at it in the viewer's file: at the first one that the viewer sees."""
        carried: dict[str, list[Network]] = {}
        for site, gateways in self.seen_by(viewer):
            carried.setdefault(gateways[0], []).extend(site.prefixes)
        return carried

    def shared_by(self, gateway: str) -> list[Network]:
        """What a host has behind it that another host, whose key is known, has behind it as well."""
        own = self._by_gateway.get(gateway, ())
        return [prefix for site, known in own if set(known) - {gateway} for prefix in site.prefixes]
