# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ways that packets take through a planned fleet, by what its slices say and no more.

A naive model of what agents and kernels do: the longest prefix decides over which peer a packet goes and from which
peers a source is taken; a LAN behind a host is nearer than any tunnel.
"""

from __future__ import annotations

import ipaddress
import json

from ansible_collections.wirefleet.wireguard.tests.unit.plugins.fleets import peers_of, slice_of


def own_addresses(plan, host):
    return [ipaddress.ip_interface(text).ip for text in slice_of(plan, host)["interface"]["addresses"]]


def lans(plan):
    """Site prefixes by host."""
    hosts = json.loads(plan.plan_text)["hosts"]
    return {name: [ipaddress.ip_network(text) for text in entry["site_prefixes"]] for name, entry in hosts.items()}


def best(rows, address):
    matching = [network for network in rows if address in network]
    return rows[max(matching, key=lambda network: network.prefixlen)] if matching else None


class Ways:
    """uses: hub by spoke. over: member by (hub, name of a group or site). What is missing is as planned."""

    def __init__(self, plan, uses=None, over=None):
        self.plan = plan
        self.uses = {name: entry["preferred_hub"] for name, entry in plan.hosts.items()} | (uses or {})
        self.over = over or {}
        self.lans = lans(plan)
        self.tables = {host: self._table(host) for host in plan.hosts}
        self.addresses = {host: own_addresses(plan, host) for host in plan.hosts}
        for host in plan.hosts:
            self._check_lans(host)

    def _table(self, host):
        """Prefix -> (peer that packets go to, peers that they are taken from, peer for packets of the host's own)."""
        document, peers = slice_of(self.plan, host), peers_of(self.plan, host)
        rows = {text: (name, {name}, None) for name, peer in peers.items() for text in peer["allowed_ips"]}
        relays = document["relays"] or {"members": [], "fixed": []}
        for name, peer in peers.items():
            if document["role"] == "hub" and name not in relays["members"] and name not in relays["fixed"]:
                active = name if self.uses[name] == host else self.uses[name]
                rows.update((text, (active, {name, *relays["members"]}, name)) for text in peer["allowed_ips"])
        for group in (*document["groups"], *document["sites"]):
            members, is_site = group["members"], "policy" not in group
            stands_at = {name for name, peer in peers.items() if {*peer["allowed_ips"]} & {*group["allowed_ips"]}}
            assert len(stands_at) == 1
            assert stands_at <= set(members)
            over = self.uses[host] if group["name"] == "hubs" else self.over.get((host, group["name"]), members[0])
            direct = (over if over in members else members[0]) if is_site else None
            sources = {*members, *(relays["members"] if is_site else ())}
            assert over in sources
            rows.update((text, (over, sources, direct)) for text in group["allowed_ips"])
        return {ipaddress.ip_network(text): row for text, row in rows.items()}

    def _check_lans(self, host):
        """No route into the tunnel is as narrow as a LAN's own, and what is named local is among the AllowedIPs."""
        local = {ipaddress.ip_network(text) for text in slice_of(self.plan, host)["local_networks"]}
        assert local <= set(self.tables[host])
        assert local <= set(self.lans[host])
        for network in self.tables[host].keys() - local:
            for lan in self.lans[host]:
                assert network.version != lan.version or not network.subnet_of(lan), f"{host} routes {lan} to a tunnel"

    def is_there(self, host, target):
        return target in self.addresses[host] or any(target in lan for lan in self.lans[host])

    def way(self, source, target, *, source_address=None):
        """Hosts that a packet passes; each has to take the source from the one before, and none may come twice."""
        target = ipaddress.ip_address(target)
        inner_source = source_address or self.addresses[source][{4: 0, 6: 1}[target.version]]
        hosts = [source]
        while not self.is_there(hosts[-1], target):
            found = best(self.tables[hosts[-1]], target)
            assert found is not None, f"{hosts[-1]} knows no way to {target}"
            following, _sources, direct = found
            if direct and inner_source in self.addresses[hosts[-1]]:
                following = direct
            back = best(self.tables[following], inner_source)
            assert back is not None, f"{following} knows nobody with {inner_source}"
            assert hosts[-1] in back[1], f"{following} does not take {inner_source} from {hosts[-1]}"
            hosts.append(following)
            assert len(set(hosts)) == len(hosts), f"a loop: {hosts}"
        return hosts
