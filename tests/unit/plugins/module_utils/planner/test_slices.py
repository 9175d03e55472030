# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
import itertools

from ansible_collections.wirefleet.wireguard.plugins.module_utils.planner import Lock, make_plan
from ansible_collections.wirefleet.wireguard.tests.unit.plugins.fleets import fleet, peers_of, plan_again, slice_of

SITES = {"spoke-1": {"site_prefixes": ["10.20.1.0/24"]}, "hub-3": {"site_prefixes": ["10.30.0.0/24"]}}


def owner_of(plan, host, address):
    """The peer to which the host's longest matching AllowedIPs send an address."""
    best, wanted = None, ipaddress.ip_address(address)
    for name, peer in peers_of(plan, host).items():
        for text in peer["allowed_ips"]:
            network = ipaddress.ip_network(text)
            if wanted in network and (best is None or network.prefixlen > best[0]):
                best = (network.prefixlen, name)
    return best[1] if best else None


def way(plan, source, address):
    """Hosts that a packet passes, until one owns the address."""
    hosts = [source]
    while len(hosts) < 6:
        own = [ipaddress.ip_interface(text).ip for text in slice_of(plan, hosts[-1])["interface"]["addresses"]]
        following = None if ipaddress.ip_address(address) in own else owner_of(plan, hosts[-1], address)
        if following is None:
            return hosts
        hosts.append(following)
    raise AssertionError(f"a loop: {hosts}")


def test_a_spoke_peers_with_all_hubs_and_routes_by_one():
    plan = make_plan(fleet(spokes=3, hosts=SITES), Lock())

    peers = peers_of(plan, "spoke-2")

    assert list(peers) == ["hub-1", "hub-2", "hub-3"]
    assert peers["hub-2"]["allowed_ips"] == ["10.20.1.0/24", "10.30.0.0/24", "10.86.0.0/24", "fd86::/64"]
    assert [peer["preferred"] for peer in peers.values()] == [False, True, False]
    assert all(peers[name]["allowed_ips"] == [] for name in ("hub-1", "hub-3"))
    assert all(peer["persistent_keepalive"] == 25 for peer in peers.values())
    assert slice_of(plan, "spoke-2")["preferred_hubs"][0] == "hub-2"


def test_a_hub_peers_with_everybody_and_lists_the_others_spokes_behind_their_hubs():
    plan = make_plan(fleet(spokes=3, hosts=SITES), Lock())

    peers = peers_of(plan, "hub-1")

    assert list(peers) == ["hub-2", "hub-3", "spoke-1", "spoke-2", "spoke-3"]
    assert peers["spoke-1"]["allowed_ips"] == ["10.20.1.0/24", "10.86.0.4/32", "fd86::4/128"]
    assert peers["spoke-2"]["allowed_ips"] == peers["spoke-3"]["allowed_ips"] == []
    assert peers["hub-2"]["allowed_ips"] == ["10.86.0.2/32", "10.86.0.5/32", "fd86::2/128", "fd86::5/128"]
    assert "10.30.0.0/24" in peers["hub-3"]["allowed_ips"]
    assert [peers[name]["persistent_keepalive"] for name in ("hub-2", "spoke-1")] == [25, 0]
    assert peers["spoke-1"]["endpoint"] is None


def test_every_packet_finds_its_way_and_comes_back_the_same_way():
    plan = make_plan(fleet(spokes=7, hosts=SITES), Lock())

    for source, entry in plan.hosts.items():
        for target, other in plan.hosts.items():
            for here, there in zip(entry["addresses"], other["addresses"], strict=True):
                there_way, back_way = way(plan, source, there), way(plan, target, here)
                assert there_way[-1] == target
                assert there_way == list(reversed(back_way))


def test_every_hop_accepts_the_packets_source():
    plan = make_plan(fleet(spokes=5, hosts=SITES), Lock())

    for source, entry in plan.hosts.items():
        for other in plan.hosts.values():
            hops = way(plan, source, other["addresses"][0])
            for previous, hop in itertools.pairwise(hops):
                assert owner_of(plan, hop, entry["addresses"][0]) == previous


def test_a_site_is_reached_from_everywhere():
    plan = make_plan(fleet(spokes=4, hosts=SITES), Lock())

    assert way(plan, "spoke-2", "10.20.1.9") == ["spoke-2", "hub-2", "hub-1", "spoke-1"]
    assert way(plan, "hub-3", "10.20.1.9") == ["hub-3", "hub-1", "spoke-1"]
    assert way(plan, "spoke-1", "10.30.0.9") == ["spoke-1", "hub-1", "hub-3"]


def test_a_host_never_routes_its_own_site_into_the_tunnel():
    plan = make_plan(fleet(spokes=2, hosts=SITES), Lock())

    assert "10.20.1.0/24" not in peers_of(plan, "spoke-1")["hub-1"]["allowed_ips"]


def test_supernets_stand_for_the_sites_inside_them():
    hosts = {"spoke-1": {"site_prefixes": ["10.20.1.0/24"]}, "spoke-2": {"site_prefixes": ["192.168.7.0/24"]}}

    plan = make_plan(fleet(spokes=3, hosts=hosts, everywhere={"site_supernets": ["10.20.0.0/16"]}), Lock())

    expected = ["10.20.0.0/16", "10.86.0.0/24", "192.168.7.0/24", "fd86::/64"]
    assert peers_of(plan, "spoke-3")["hub-3"]["allowed_ips"] == expected
    assert "10.20.1.0/24" in peers_of(plan, "hub-1")["spoke-1"]["allowed_ips"]


def test_a_supernet_that_is_the_hosts_own_site_is_left_out():
    hosts = {"spoke-1": {"site_prefixes": ["10.20.0.0/16"]}}

    plan = make_plan(fleet(spokes=2, hosts=hosts, everywhere={"site_supernets": ["10.20.0.0/16"]}), Lock())

    assert "10.20.0.0/16" not in peers_of(plan, "spoke-1")["hub-1"]["allowed_ips"]
    assert "10.20.0.0/16" in peers_of(plan, "spoke-2")["hub-2"]["allowed_ips"]


def test_hubs_and_hosts_with_a_site_forward():
    plan = make_plan(fleet(spokes=2, hosts=SITES), Lock())

    forwarding = {name: slice_of(plan, name)["forwarding"] for name in ("hub-1", "spoke-1", "spoke-2")}
    assert forwarding == {"hub-1": True, "spoke-1": True, "spoke-2": False}


def test_adding_a_host_changes_only_its_own_slice_and_those_of_the_hubs():
    before = make_plan(fleet(spokes=20, hosts=SITES), Lock())

    after = plan_again(before, fleet(spokes=[*(f"spoke-{n}" for n in range(1, 21)), "a-new-one"], hosts=SITES))

    changed = {name for name, text in after.slice_texts.items() if before.slice_texts.get(name) != text}
    assert changed == {"a-new-one", "hub-1", "hub-2", "hub-3"}


def test_removing_a_host_takes_it_out_of_every_slice():
    before = make_plan(fleet(spokes=3, hosts=SITES), Lock())

    after = plan_again(before, fleet(spokes=["spoke-2", "spoke-3"], hosts={"hub-3": SITES["hub-3"]}))

    assert "spoke-1" not in after.slice_texts
    assert all("spoke-1" not in text and "10.20.1.0" not in text for text in after.slice_texts.values())


def test_a_degraded_fleet_still_reaches_everything():
    plan = make_plan(
        fleet(hubs=["hub-1", "hub-2"], spokes=["a", "b"], allow_degraded=True, everywhere={"region": "eu"}), Lock()
    )

    target = plan.hosts["b"]["addresses"][0]
    assert way(plan, "a", target)[-1] == "b"
