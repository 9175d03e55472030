# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan: request and lock in, plan, slices and the next lock out. Pure and deterministic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..json_text import dump_json
from ..problems import Problems
from ._addresses import allocate
from ._fleet import check_public_keys, read_fleet
from ._lock import Lock, LockedHost, render_lock
from ._model import Fleet, Host, PlanRequest, Site
from ._names import natural_sort
from ._networks import Address, require_netaddr
from ._placement import Candidate, rank_hubs
from ._slices import Placed, SliceBuilder

SCHEMA = 1


@dataclass(frozen=True)
class Plan:
    """All texts that the planner writes, and what an operator wants to know about them.

    slice_texts: by host. hosts: name -> role, addresses, preferred_hub. removed: hosts that became tombstones just now.
    """

    plan_text: str
    lock_text: str
    slice_texts: Mapping[str, str]
    hosts: Mapping[str, Mapping[str, object]]
    pending: Sequence[str]
    removed: Sequence[str]
    warnings: Sequence[str]


def make_plan(request: PlanRequest, lock: Lock) -> Plan:
    """Plan the whole fleet. Raises PlanError with every problem found."""
    require_netaddr()
    problems = Problems()
    fleet, warnings = read_fleet(request, problems)
    keys = _public_keys(fleet, lock, problems)
    removed, tombstones = _tombstones(fleet, lock, request.release_removed, problems)
    addresses = allocate(fleet, lock, tombstones, request.renumber, problems)
    problems.raise_if_any()
    placed = Placed(fleet, addresses, keys, _placement(fleet))
    next_lock = Lock(
        overlay=tuple(str(network) for network in fleet.overlay),
        hosts={name: _locked(host, placed) for name, host in fleet.hosts.items()},
        removed=tombstones,
    )
    return Plan(
        plan_text=_plan_text(placed, tombstones),
        lock_text=render_lock(next_lock),
        slice_texts={name: dump_json(document) for name, document in SliceBuilder(placed).slices()},
        hosts={name: _summary(host, placed) for name, host in fleet.hosts.items()},
        pending=_pending(placed),
        removed=removed,
        warnings=warnings,
    )


def _public_keys(fleet: Fleet, lock: Lock, problems: Problems) -> dict[str, str]:
    keys = {name: host.public_key or lock.public_key_of(name) for name, host in fleet.hosts.items()}
    known = {name: key for name, key in keys.items() if key is not None}
    check_public_keys(fleet, known, problems)
    return known


def _tombstones(
    fleet: Fleet, lock: Lock, released: Sequence[str], problems: Problems
) -> tuple[list[str], dict[str, tuple[Address, ...]]]:
    """Hosts that are gone since the last run, and the addresses of all that are gone and not released."""
    alive = natural_sort(set(released) & set(fleet.hosts))
    if alive:
        problems.add("a host that is in the inventory keeps its address", hosts=alive, path="release_removed")
    removed = natural_sort(name for name in lock.hosts if name not in fleet.hosts)
    gone = {name: addresses for name, addresses in lock.removed.items() if name not in fleet.hosts}
    gone.update((name, lock.hosts[name].addresses) for name in removed)
    return removed, {name: gone[name] for name in natural_sort(gone) if name not in released and "all" not in released}


def _placement(fleet: Fleet) -> dict[str, tuple[str, ...]]:
    hubs = [Candidate(hub.name, hub.region, hub.weight) for hub in fleet.hubs]
    return {spoke.name: rank_hubs(spoke.name, spoke.region, hubs) for spoke in fleet.spokes}


def _pending(placed: Placed) -> list[str]:
    return [name for name in placed.fleet.hosts if name not in placed.public_keys]


def _locked(host: Host, placed: Placed) -> LockedHost:
    return LockedHost(
        role=host.role,
        addresses=placed.addresses[host.name],
        public_key=placed.public_keys.get(host.name),
        preferred_hubs=placed.preferred_hubs.get(host.name, ()),
    )


def _summary(host: Host, placed: Placed) -> dict[str, object]:
    ranking = placed.preferred_hubs.get(host.name, ())
    return {
        "role": host.role,
        "addresses": [str(address) for address in placed.addresses[host.name]],
        "preferred_hub": placed.active_hub(host.name) or (ranking[0] if ranking else None),
    }


def _plan_text(placed: Placed, tombstones: Mapping[str, tuple[Address, ...]]) -> str:
    fleet = placed.fleet
    return dump_json(
        {
            "schema": SCHEMA,
            "fleet": {
                "overlay": [network.text for network in fleet.overlay],
                "regions": list(fleet.regions),
                "site_supernets": [network.text for network in fleet.site_supernets],
                "preshared_keys": fleet.has_preshared_keys,
                "heartbeat_ms": fleet.heartbeat.interval_ms,
                "heartbeat_misses": fleet.heartbeat.misses,
                "heartbeat_port": fleet.heartbeat_port,
            },
            **({"sites": {site.name: _site_entry(site) for site in fleet.sites}} if fleet.sites else {}),
            "hosts": {name: _plan_entry(host, placed) for name, host in fleet.hosts.items()},
            "pending": _pending(placed),
            "removed": list(tombstones),
        }
    )


def _site_entry(site: Site) -> dict[str, object]:
    return {"gateways": list(site.gateways), "prefixes": [prefix.text for prefix in site.prefixes]}


def _plan_entry(host: Host, placed: Placed) -> dict[str, object]:
    return {
        **_summary(host, placed),
        "region": host.region,
        "tunnel": host.tunnel,
        "endpoint": str(host.endpoint) if host.endpoint else None,
        "port": host.port,
        "mtu": host.mtu_bytes,
        "keepalive": host.keepalive_s,
        "site_prefixes": [prefix.text for prefix in host.site_prefixes],
        "weight": host.weight,
        "agent": host.has_agent,
        "failover": host.policy,
        "public_key": placed.public_keys.get(host.name),
        "preferred_hubs": list(placed.preferred_hubs.get(host.name, ())),
    }
