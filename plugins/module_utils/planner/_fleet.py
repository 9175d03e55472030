# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fleet as a whole: read every host, then what no host can see on its own."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence

from ..problems import Problems
from ._failover import DEFAULT_CLUSTER_PORT, DEFAULT_HEARTBEAT_PORT
from ._inputs import ValueReader, fleet_variables, parse_network_of_hosts, read_host
from ._model import Fleet, Host, PlanRequest
from ._names import is_host_name, is_region_name, natural_sort
from ._networks import Network
from ._sites import check_sites, prefix_owners, redundant_sites

HUBS = 3
MAX_ROUTE_ENTRIES = 2_000_000  # AllowedIPs over all spokes; beyond this the files alone take hundreds of megabytes


def read_fleet(request: PlanRequest, problems: Problems) -> tuple[Fleet, list[str]]:
    """The checked fleet and warnings. It is only to be used further when no problem was found."""
    hubs, spokes = natural_sort(set(request.hubs)), natural_sort(set(request.spokes))
    _check_names(hubs, spokes, problems)
    warnings = _check_hub_count(hubs, request.allow_degraded, problems)
    hosts = {name: read_host(name, "hub", request, problems) for name in hubs}
    hosts.update((name, read_host(name, "spoke", request, problems)) for name in spokes if name not in hosts)
    fleet = _read_common(hosts, request, problems)
    _check_hosts(fleet, problems)
    _check_heartbeat_port(fleet, problems)
    _check_networks(fleet, problems)
    check_sites(fleet, problems)
    _check_endpoints(fleet, problems)
    _check_size(fleet, problems)
    return fleet, warnings


def _check_names(hubs: Sequence[str], spokes: Sequence[str], problems: Problems) -> None:
    both = set(hubs) & set(spokes)
    if both:
        problems.add("a host is either a hub or a spoke", hosts=natural_sort(both), hint="take it out of one group")
    names = [*hubs, *(name for name in spokes if name not in both)]
    bad = [name for name in names if not is_host_name(name)]
    if bad:
        problems.add(
            "a planned host has a name of letters, digits and . _ - (at most 128)",
            hosts=bad,
            hint="rename it and keep its address in ansible_host",
        )
    for same in _repeated((name.lower(), name) for name in names):
        problems.add("host names differ only in upper and lower case", hosts=same, hint="rename one of them")


def _check_hub_count(hubs: Sequence[str], allow_degraded: bool, problems: Problems) -> list[str]:
    if len(hubs) == HUBS:
        return []
    if allow_degraded and 1 <= len(hubs) < HUBS:
        return [f"The overlay is degraded: {len(hubs)} of {HUBS} hubs ({', '.join(hubs)})."]
    problems.add(
        f"a fleet has exactly three hubs, not {len(hubs)}",
        hosts=hubs,
        path="hubs_group",
        hint="with allow_degraded one or two are accepted (-e wirefleet_allow_degraded=true)"
        if len(hubs) < HUBS
        else "make the others spokes",
    )
    return []


def _read_common(hosts: Mapping[str, Host], request: PlanRequest, problems: Problems) -> Fleet:
    names = tuple(hosts)
    read = ValueReader(problems, fleet_variables(names, request, problems), request.options, ())
    overlay = read.parsed_list("overlay_prefixes", parse_network_of_hosts)
    regions = read.parsed_list("regions", _parse_region)
    if not regions:
        regions = tuple(sorted({host.region for host in hosts.values() if host.role == "hub"}))
    if not overlay:
        problems.add("the overlay has no network", path="overlay_prefixes", hint="set wirefleet_overlay_prefixes")
    if len({network.version for network in overlay}) != len(overlay):
        problems.add("the overlay has at most one IPv4 and one IPv6 network", path="overlay_prefixes")
    return Fleet(
        hosts=hosts,
        overlay=tuple(sorted(overlay)),
        regions=regions,
        site_supernets=tuple(sorted(read.parsed_list("site_supernets", parse_network_of_hosts))),
        has_preshared_keys=read.boolean("preshared_keys", False),
        heartbeat=read.heartbeat(),
        heartbeat_port=read.integer("heartbeat_port", DEFAULT_HEARTBEAT_PORT, 1, 65535),
        cluster_port=read.integer("cluster_port", DEFAULT_CLUSTER_PORT, 1, 65535),
        sites=redundant_sites(hosts),
    )


def _parse_region(text: str) -> str:
    if not is_region_name(text):
        raise ValueError(f"{text!r} is not a region's name")
    return text


def _check_hosts(fleet: Fleet, problems: Problems) -> None:
    for host in fleet.hosts.values():
        if host.region not in fleet.regions:
            problems.add(
                f"region {host.region!r} is unknown",
                hosts=(host.name,),
                path="wirefleet_region",
                hint=f"known regions are {', '.join(fleet.regions) or 'none'}; see wirefleet_regions",
            )
        if host.role == "hub" and host.endpoint is None and not problems.concern(host.name, "wirefleet_endpoint"):
            problems.add(
                "a hub needs an endpoint that spokes reach",
                hosts=(host.name,),
                path="wirefleet_endpoint",
                hint="address[:port]",
            )
        if host.role == "hub" and not host.has_agent:
            problems.add(
                "a hub needs an agent",
                hosts=(host.name,),
                path="wirefleet_agent",
                hint="only spokes may be plain WireGuard peers",
            )
    for same in _repeated((str(host.endpoint), host.name) for host in fleet.hosts.values() if host.endpoint):
        problems.add(
            f"endpoint {fleet.hosts[same[0]].endpoint} is used twice",
            hosts=same,
            path="wirefleet_endpoint",
            hint="one port per host",
        )


def _check_heartbeat_port(fleet: Fleet, problems: Problems) -> None:
    """Heartbeats are UDP on the overlay's addresses, where the tunnel's own UDP port is taken on every address."""
    same = [host.name for host in fleet.hosts.values() if host.has_agent and host.port == fleet.heartbeat_port]
    if same:
        problems.add(
            f"port {fleet.heartbeat_port} is the tunnel's and the heartbeats' at once",
            hosts=same,
            path="wirefleet_heartbeat_port",
            hint="set wirefleet_heartbeat_port to another port",
        )


def _check_networks(fleet: Fleet, problems: Problems) -> None:
    """Each pair of neighbours in sorted order; a wide network keeps being compared until one reaches further."""
    sites = sorted(prefix_owners(fleet.hosts).items())
    apart = sites[:1]
    for prefix, owners in sites[1:]:
        widest, others = apart[-1]
        if widest.overlaps(prefix):
            problems.add(
                f"site prefixes {widest} and {prefix} overlap",
                hosts=dict.fromkeys((*others, *owners)),
                path="wirefleet_site_prefixes",
                hint="a network is behind one host, or the same prefix is on each of its gateways",
            )
        else:
            apart.append((prefix, owners))
    for prefix, owners in sites:
        for overlay in fleet.overlay:
            if overlay.overlaps(prefix):
                problems.add(
                    f"site prefix {prefix} collides with the overlay {overlay}",
                    hosts=owners,
                    path="wirefleet_site_prefixes",
                    hint="choose another overlay prefix",
                )


def _check_endpoints(fleet: Fleet, problems: Problems) -> None:
    """An endpoint inside a network that goes through the tunnel would put the tunnel into itself."""
    routed = [(network, "the overlay") for network in fleet.overlay]
    routed += [(network, "a site supernet") for network in fleet.site_supernets]
    sites = sorted((prefix, host.name) for host in fleet.hosts.values() for prefix in host.site_prefixes)
    by_endpoint = sorted(
        (host.endpoint.address, host.name) for host in fleet.hosts.values() if host.endpoint and host.endpoint.address
    )
    for address, name in by_endpoint:
        inside = [(network, what) for network, what in routed if network.contains(address)]
        inside += [
            (network, f"a site prefix of {owner}")
            for network, owner in _containing(sites, address.version, address.value)
        ]
        for network, what in inside:
            problems.add(
                f"endpoint {address} lies inside {network}, {what}: the tunnel would be routed into itself",
                hosts=(name,),
                path="wirefleet_endpoint",
                hint="use an address of the underlay",
            )


def _containing(sites: Sequence[tuple[Network, str]], version: int, value: int) -> list[tuple[Network, str]]:
    """The site prefix around an address; sites are sorted, so the last one that starts before it is the candidate."""
    low, high = 0, len(sites)
    while low < high:
        middle = (low + high) // 2
        if (sites[middle][0].version, sites[middle][0].first) <= (version, value):
            low = middle + 1
        else:
            high = middle
    if low and sites[low - 1][0].version == version and sites[low - 1][0].last >= value:
        return [sites[low - 1]]
    return []


def _check_size(fleet: Fleet, problems: Problems) -> None:
    outside = sum(is_outside_supernets(fleet, prefix) for prefix in prefix_owners(fleet.hosts))
    if outside * len(fleet.spokes) > MAX_ROUTE_ENTRIES:
        problems.add(
            f"{outside} site prefixes on each of {len(fleet.spokes)} spokes are too many routes",
            path="wirefleet_site_supernets",
            hint="name the networks that the sites are cut from",
        )


def is_outside_supernets(fleet: Fleet, prefix: Network) -> bool:
    """Whether spokes must list a site prefix by itself."""
    return not any(net.covers(prefix) for net in fleet.site_supernets)


def _repeated(pairs: Iterable[tuple[Hashable, str]]) -> list[list[str]]:
    """Names that share a key, in the order of their first appearance."""
    by_key: dict[Hashable, list[str]] = {}
    for key, name in pairs:
        by_key.setdefault(key, []).append(name)
    return [names for names in by_key.values() if len(names) > 1]


def check_public_keys(fleet: Fleet, keys: Mapping[str, str], problems: Problems) -> None:
    """No two hosts share a key (WireGuard tells peers apart by nothing else), and one that cannot be asked has one."""
    mute = [host.name for host in fleet.spokes if not host.has_agent and host.name not in keys]
    if mute:
        problems.add(
            "a host without an agent needs its public key in the inventory",
            hosts=mute,
            path="wirefleet_public_key",
            hint="wg pubkey prints it on the host",
        )
    for same in _repeated((key, name) for name, key in keys.items()):
        problems.add("hosts share one public key", hosts=same, path="public_keys", hint="rotate the key of one of them")
