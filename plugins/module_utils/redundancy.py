# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a slice and an agent's status say about redundancy: groups, redundant sites, hubs that answer, the cluster.

A group's prefixes may stand at any of its members. Which members that are is part of the plan, so a prefix at somebody
else is a difference as ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .planner import canonical_network

DRAINING, HELD, GOOD, GONE = "draining", "held", "good", "gone"


@dataclass(frozen=True)
class Trouble:
    """A finding in the making. peer: a name or None."""

    name: str
    is_error: bool
    peer: str | None
    message: str
    hint: str


def shared_prefixes(plan_slice: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Prefix -> public keys of the peers that may carry it, for all prefixes that may move between peers."""
    keys = {peer["name"]: peer["public_key"] for peer in plan_slice["peers"]}
    shared: dict[str, frozenset[str]] = {}
    for group in plan_slice["groups"]:
        members = frozenset(keys[name] for name in group["members"])
        shared.update((canonical_network(text), members) for text in group["allowed_ips"])
    relays = plan_slice["relays"]
    if relays:
        relay_keys = frozenset(keys[name] for name in relays["members"])
        apart = {*relays["members"], *relays["fixed"]}
        for peer in plan_slice["peers"]:
            if peer["name"] not in apart:
                members = relay_keys | {peer["public_key"]}
                shared.update((canonical_network(text), members) for text in peer["allowed_ips"])
    for site in plan_slice["sites"]:
        carriers = frozenset(keys[name] for name in (*site["members"], *(relays or {"members": ()})["members"]))
        shared.update((canonical_network(text), carriers) for text in site["allowed_ips"])
    return shared


def needs_warm_session(plan_slice: Mapping[str, Any], peer: Mapping[str, Any]) -> bool:
    """Whether this host itself has to keep a session alive: by keepalives, or by heartbeats to a hub."""
    return bool(peer["persistent_keepalive"]) or (peer["role"] == "hub" and plan_slice["heartbeat"] is not None)


def group_troubles(
    plan_slice: Mapping[str, Any], observed: Mapping[str, Any], overrides: Mapping[str, str]
) -> Iterator[Trouble]:
    """Each planned group, and on hubs each redundant site; nothing if the status says nothing about groups.

    overrides: public key of a spoke -> that of the hub which the hubs wish it to use.
    """
    if observed.get("groups") is None:
        return
    names = {peer["public_key"]: peer["name"] for peer in plan_slice["peers"]}
    actual = {group["name"]: group for group in observed["groups"]}
    for planned in plan_slice["groups"]:
        group = actual.get(planned["name"])
        if group is None:
            message = f"the group {planned['name']} is not configured: nothing fails over"
            yield Trouble("group_missing", True, None, message, "apply the configuration again")
            continue
        standings = {names.get(str(one["public_key"])): _standing(one) for one in _members(group)}
        for hub in planned["members"]:
            yield from _member(hub, standings.get(hub))
        placed = names.get(overrides.get(str(plan_slice["public_key"]), ""))
        active = names.get(group["active"])
        if plan_slice["role"] == "hub":
            yield from _way_to_site(planned, active)
        else:
            yield from _active(planned, active, placed, standings)
    for site in plan_slice["sites"]:
        yield from _site(site, actual.get(site["name"]), names)


def draining_hubs(observed: Mapping[str, Any]) -> frozenset[str]:
    """Public keys of the hubs that are being drained, as far as this host has heard; also of those that went then."""
    members = [member for group in observed.get("groups") or () for member in _members(group)]
    return frozenset(member["public_key"] for member in members if _standing(member) == DRAINING)


def is_settled(observed: Mapping[str, Any]) -> bool:
    """Whether all hubs have answered, the gateways of sites are heard and the cluster has a leader.

    Right after a start or a change none of it is so.
    """
    groups = observed.get("groups") or ()
    cluster = observed.get("cluster")
    return (
        all(_standing(member) != GONE for group in groups for member in _members(group))
        and all(gateway["is_well"] for group in groups for gateway in group.get("gateways") or ())
        and (not cluster or bool(cluster.get("leader")))
    )


def _members(group: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Without heartbeats the agent knows no more of a member than its key."""
    return [one if isinstance(one, Mapping) else {"public_key": one} for one in group["members"]]


def _standing(member: Mapping[str, Any]) -> str:
    """A hub that said it would go, and went, counts as drained: that is what draining is for."""
    return DRAINING if member.get("is_draining") else str(member.get("standing") or GOOD)


def _member(hub: str, standing: str | None) -> Iterator[Trouble]:
    hint = "see whether the hub runs, and whether heartbeats (UDP on the overlay) pass both ways"
    if standing is None:
        yield Trouble("member_missing", True, hub, "the hub is no member of the group", "apply the configuration again")
    elif standing == GONE:
        yield Trouble("heartbeat_missing", True, hub, "the hub does not answer heartbeats", hint)
    elif standing == "broken":
        message = "the hub answers, but forwards nothing"
        yield Trouble("hub_broken", True, hub, message, "see whether it forwards, and reaches the other hubs")
    elif standing == DRAINING:
        message = "the hub is being drained: it carries no traffic"
        yield Trouble("hub_draining", False, hub, message, "resume it when its maintenance is over")
    elif standing == HELD:
        yield Trouble("hub_held", False, hub, "the hub came back only now", "wait; longer, if it goes up and down")


def _active(
    planned: Mapping[str, Any], active: str | None, placed: str | None, standings: Mapping[str | None, str]
) -> Iterator[Trouble]:
    """Planned is the best member, or what the hubs wish. While that one is drained, another carries on purpose."""
    wanted = placed if placed in planned["members"] else planned["members"][0]
    if placed is not None and active == placed:
        message = f"the hubs have placed the spoke at {placed}, planned is {planned['members'][0]}"
        yield Trouble("hub_overridden", False, active, message, "wirefleet-agent peer place SPOKE --planned on a hub")
    if active == wanted:
        return
    if standings.get(wanted) == DRAINING and active is not None:
        message = f"the active hub is {active} while {wanted} is being drained"
        yield Trouble("active_hub_drained", False, active, message, f"resume {wanted} when its maintenance is over")
        return
    hint = f"find out why it left {wanted}; site.yml brings it back, or wirefleet-agent peer place on a hub"
    message = f"the active hub is {active or 'unknown'}, planned is {wanted}"
    yield Trouble("active_hub_mismatch", True, active, message, hint)


def _site(planned: Mapping[str, Any], group: Mapping[str, Any] | None, names: Mapping[str, str]) -> Iterator[Trouble]:
    """On a hub a site behind spokes. group: what the status says of it, where the other hubs are members as well."""
    if group is None:
        message = f"the site {planned['name']} is not configured: no other gateway takes over"
        yield Trouble("site_missing", True, None, message, "apply the configuration again")
        return
    present = {names.get(str(member["public_key"])) for member in _members(group)}
    for gateway in planned["members"]:
        if gateway not in present:
            message = f"the host is no gateway of the site {planned['name']}"
            hint = "apply the configuration again; if the hubs refuse its key, take it out of the inventory"
            yield Trouble("site_gateway_missing", True, gateway, message, hint)
    for gateway in group.get("gateways") or ():
        if not gateway["is_well"]:
            name = names.get(str(gateway["public_key"]))
            message = f"the gateway of the site {planned['name']} is not heard, or does not hear us"
            hint = "see whether it runs, and whether heartbeats (UDP on the overlay) pass both ways"
            yield Trouble("site_gateway_silent", False, name, message, hint)
    yield from _way_to_site(planned, names.get(group["active"]))


def _way_to_site(planned: Mapping[str, Any], active: str | None) -> Iterator[Trouble]:
    """Nobody calls a site back, so another gateway than the planned one is only named."""
    first = planned["members"][0]
    if active != first:
        message = f"the site {planned['name']} is reached over {active or 'nobody that is known'}, planned is {first}"
        hint = f"packets flow; find out why it left {first}, which is used again when that way is lost"
        yield Trouble("site_gateway_switched", False, active, message, hint)


def cluster_troubles(plan_slice: Mapping[str, Any], observed: Mapping[str, Any]) -> Iterator[Trouble]:
    """The hubs' shared state as this hub sees it; nothing if the status says nothing about a cluster."""
    planned = plan_slice["cluster"]
    if planned is None or "cluster" not in observed:
        return
    cluster = observed["cluster"]
    if not cluster or cluster.get("problem"):
        why = f": {cluster['problem']}" if cluster else ""
        message = f"the hub takes no part in the hubs' cluster{why}"
        yield Trouble(
            "cluster_missing", True, None, message, "apply the configuration again; the agent's log tells why"
        )
        return
    if not cluster.get("has_quorum") or not cluster.get("leader"):
        away = [str(one.get("name") or one["public_key"]) for one in cluster["members"] if not one["is_connected"]]
        unheard = f": {', '.join(away)} cannot be reached" if away else ""
        hint = "traffic flows, but drains and revocations are refused: see those hubs, and TCP on the overlay"
        yield Trouble("quorum_missing", True, None, f"the hubs have no quorum{unheard}", hint)
    if cluster.get("is_draining"):
        message = "this hub is being drained"
        yield Trouble("hub_draining", False, None, message, "resume it when its maintenance is over")
