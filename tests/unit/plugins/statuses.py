# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the agent of a host reports that is exactly as planned."""

from __future__ import annotations


def group_of(document, group, active=None, **standings):
    """A group as the agent reports it. standings: by hub, with underscores in its name; else good."""
    keys = {peer["name"]: peer["public_key"] for peer in document["peers"]}
    return {
        "name": group["name"],
        "policy": group["policy"],
        "active": keys[active or group["members"][0]],
        "members": [
            {"public_key": keys[hub], "name": hub, "standing": standings.get(hub.replace("-", "_"), "good")}
            for hub in group["members"]
        ],
    }


def site_of(document, site, active=None):
    """A redundant site as the agent of a hub reports it: the other hubs are members as well."""
    keys = {peer["name"]: peer["public_key"] for peer in document["peers"]}
    members = [*site["members"], *(document["relays"] or {"members": []})["members"]]
    return {
        "name": site["name"],
        "active": keys[active or site["members"][0]],
        "members": [{"public_key": keys[name], "name": name} for name in members],
    }


def cluster_of(document):
    if document["cluster"] is None:
        return None
    members = [
        {"public_key": member["public_key"], "name": member["name"], "is_connected": True}
        for member in document["cluster"]["members"]
    ]
    leader = {"public_key": members[0]["public_key"], "name": members[0]["name"]}
    return {"has_quorum": True, "leader": leader, "members": members, "problem": None, "is_draining": False}


def status_of(document):
    """The agent's status of a host that is exactly as planned."""
    return {
        "tunnel": document["tunnel"],
        "running": True,
        "public_key": document["public_key"],
        "listen_port": document["interface"]["listen_port"],
        "interface": {
            "name": document["tunnel"],
            "mtu_bytes": document["interface"]["mtu"],
            "is_up": True,
            "addresses": [*document["interface"]["addresses"], "fe80::1/64"],
        },
        "peers": [
            {
                "public_key": peer["public_key"],
                "name": peer["name"],
                "endpoint": peer["endpoint"],
                "allowed_ips": list(reversed(peer["allowed_ips"])),
                "last_handshake_age_s": 12.5,
                "persistent_keepalive_s": peer["persistent_keepalive"],
            }
            for peer in document["peers"]
        ],
        "groups": [
            *(group_of(document, group) for group in document["groups"]),
            *(site_of(document, site) for site in document["sites"]),
        ],
        "cluster": cluster_of(document),
        "config_digest": "d1",
        "pending": False,
    }


def named(findings):
    return [(finding.name, finding.severity, finding.peer) for finding in findings]
