# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fleets for the planner's tests."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping

from ansible_collections.wirefleet.wireguard.plugins.module_utils.planner import (
    Lock,
    Plan,
    PlanRequest,
    make_plan,
    parse_lock,
)

OVERLAY = ["10.86.0.0/24", "fd86::/64"]
HUB_ENDPOINTS = {"hub-1": "192.0.2.1", "hub-2": "198.51.100.2:4000", "hub-3": "[2001:db8:3::3]"}
REGIONS = ("eu", "us", "ap")


def public_key(name: str) -> str:
    """A stable key text for a name; no private key belongs to it."""
    return base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()


def fleet(
    spokes: int | Iterable[str] = 3,
    *,
    hubs: Iterable[str] = tuple(HUB_ENDPOINTS),
    everywhere: Mapping[str, object] | None = None,
    hosts: Mapping[str, Mapping[str, object]] | None = None,
    without_keys: Iterable[str] = (),
    **request: object,
) -> PlanRequest:
    """Three hubs in three regions and some spokes. everywhere, hosts: more variables, without ``wirefleet_``."""
    hub_names = list(hubs)
    spoke_names = [f"spoke-{n}" for n in range(1, spokes + 1)] if isinstance(spokes, int) else list(spokes)
    variables: dict[str, dict[str, object]] = {}
    for position, name in enumerate([*hub_names, *spoke_names]):
        values: dict[str, object] = {"overlay_prefixes": OVERLAY, "region": REGIONS[position % 3], **(everywhere or {})}
        if name in hub_names:
            values["endpoint"] = HUB_ENDPOINTS.get(name, f"203.0.113.{position + 1}")
        values.update((hosts or {}).get(name, {}))
        variables[name] = {f"wirefleet_{key}": value for key, value in values.items() if value is not None}
    keys = {name: public_key(name) for name in variables if name not in set(without_keys)}
    arguments = {"public_keys": keys, **request}
    return PlanRequest(hub_names, spoke_names, variables, **arguments)


def sharing(
    *hosts: str, prefixes: Iterable[str] = ("10.20.0.0/24",), **more: Mapping[str, object]
) -> dict[str, dict[str, object]]:
    """Variables of hosts that have the same networks behind them. more: by host, with underscores in its name."""
    return {host: {"site_prefixes": list(prefixes), **more.get(host.replace("-", "_"), {})} for host in hosts}


def lock_of(plan: Plan) -> Lock:
    return parse_lock(plan.lock_text.encode(), "wirefleet.lock.json")


def plan_again(former: Plan, request: PlanRequest) -> Plan:
    return make_plan(request, lock_of(former))


def slice_of(plan: Plan, host: str) -> dict[str, object]:
    document = json.loads(plan.slice_texts[host])
    assert isinstance(document, dict)
    return document


def peers_of(plan: Plan, host: str) -> dict[str, dict[str, object]]:
    peers = slice_of(plan, host)["peers"]
    assert isinstance(peers, list)
    return {peer["name"]: peer for peer in peers}


def addresses(plan: Plan) -> dict[str, list[str]]:
    return {name: list(entry["addresses"]) for name, entry in plan.hosts.items()}
