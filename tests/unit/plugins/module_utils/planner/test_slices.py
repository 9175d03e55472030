# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
import itertools

import pytest
from ansible_collections.wirefleet.wireguard.plugins.module_utils.planner import Lock, make_plan
from ansible_collections.wirefleet.wireguard.tests.unit.plugins.fleets import (
    fleet,
    peers_of,
    plan_again,
    public_key,
    slice_of,
)
from ansible_collections.wirefleet.wireguard.tests.unit.plugins.ways import Ways

SITES = {"spoke-1": {"site_prefixes": ["10.20.1.0/24"]}, "hub-3": {"site_prefixes": ["10.30.0.0/24"]}}
HUBS = ("hub-1", "hub-2", "hub-3")
PLAIN = {"agent": False}


def test_a_spoke_peers_with_all_hubs_and_each_has_its_own_addresses():
    plan = make_plan(fleet(spokes=3, hosts=SITES), Lock())

    peers = peers_of(plan, "spoke-2")

    assert list(peers) == list(HUBS)
    assert peers["hub-1"]["allowed_ips"] == ["10.86.0.1/32", "fd86::1/128"]
    assert peers["hub-3"]["allowed_ips"] == ["10.86.0.3/32", "fd86::3/128"]
    assert [peer["preferred"] for peer in peers.values()] == [False, True, False]
    assert all(peer["persistent_keepalive"] == 25 for peer in peers.values())


def test_a_spokes_group_is_all_that_any_hub_may_carry_and_starts_at_the_preferred_hub():
    plan = make_plan(fleet(spokes=3, hosts=SITES), Lock())

    document = slice_of(plan, "spoke-2")

    shared = ["10.20.1.0/24", "10.30.0.0/24", "10.86.0.0/24", "fd86::/64"]
    assert document["groups"] == [
        {
            "name": "hubs",
            "members": document["preferred_hubs"],
            "allowed_ips": shared,
            "policy": "active_standby",
            "hold_s": 30,
        }
    ]
    assert document["preferred_hubs"][0] == "hub-2"
    assert sorted(peers_of(plan, "spoke-2")["hub-2"]["allowed_ips"]) == sorted([*shared, "10.86.0.2/32", "fd86::2/128"])
    assert document["relays"] is None


def test_a_hub_knows_every_spoke_as_its_own_and_of_other_hubs_only_themselves():
    plan = make_plan(fleet(spokes=3, hosts=SITES), Lock())

    peers = peers_of(plan, "hub-1")

    assert list(peers) == ["hub-2", "hub-3", "spoke-1", "spoke-2", "spoke-3"]
    assert peers["spoke-1"]["allowed_ips"] == ["10.20.1.0/24", "10.86.0.4/32", "fd86::4/128"]
    assert peers["spoke-2"]["allowed_ips"] == ["10.86.0.5/32", "fd86::5/128"]
    assert peers["hub-2"]["allowed_ips"] == ["10.86.0.2/32", "fd86::2/128"]
    assert peers["hub-3"]["allowed_ips"] == ["10.30.0.0/24", "10.86.0.3/32", "fd86::3/128"]
    assert [peers[name]["persistent_keepalive"] for name in ("hub-2", "spoke-1")] == [25, 0]
    assert slice_of(plan, "hub-1")["relays"] == {"members": ["hub-2", "hub-3"], "fixed": []}
    assert slice_of(plan, "hub-1")["groups"] == []


@pytest.mark.parametrize("uses", list(itertools.product(HUBS, repeat=3)))
def test_whichever_hubs_the_spokes_use_every_packet_arrives_and_every_hop_accepts_its_source(uses):
    plan = make_plan(fleet(spokes=4, hosts={**SITES, "spoke-4": PLAIN}), Lock())
    ways = Ways(plan, dict(zip(("spoke-1", "spoke-2", "spoke-3"), uses, strict=True)))

    for source, target in itertools.permutations(plan.hosts, 2):
        for address in plan.hosts[target]["addresses"]:
            assert ways.way(source, address)[-1] == target


@pytest.mark.parametrize("uses", HUBS)
def test_a_site_is_reached_from_everywhere_over_any_hub_and_answers(uses):
    plan = make_plan(fleet(spokes=4, hosts={**SITES, "spoke-4": PLAIN}), Lock())
    ways = Ways(plan, {"spoke-1": uses, "spoke-2": uses})

    for source in plan.hosts.keys() - {"spoke-1"}:
        assert ways.way(source, "10.20.1.9")[-1] == "spoke-1"
        answer = ipaddress.ip_address("10.20.1.9")
        assert ways.way("spoke-1", plan.hosts[source]["addresses"][0], source_address=answer)[-1] == source
    for source in plan.hosts.keys() - {"hub-3"}:
        assert ways.way(source, "10.30.0.9")[-1] == "hub-3"


def test_two_spokes_of_one_hub_need_no_other_and_two_hubs_are_the_longest_way():
    plan = make_plan(fleet(spokes=3), Lock())
    address = plan.hosts["spoke-2"]["addresses"][0]

    together = Ways(plan, {"spoke-1": "hub-3", "spoke-2": "hub-3"})
    assert together.way("spoke-1", address) == ["spoke-1", "hub-3", "spoke-2"]
    assert Ways(plan).way("spoke-1", address) == ["spoke-1", "hub-1", "hub-2", "spoke-2"]


def test_a_plain_spoke_has_one_hub_for_everything_and_is_behind_it_for_the_others():
    plan = make_plan(fleet(spokes=2, hosts={"spoke-1": PLAIN}, everywhere={"preshared_keys": True}), Lock())

    peers = peers_of(plan, "spoke-1")
    document = slice_of(plan, "spoke-1")

    assert peers["hub-1"]["allowed_ips"] == ["10.86.0.0/24", "fd86::/64"]
    assert peers["hub-2"]["allowed_ips"] == peers["hub-3"]["allowed_ips"] == []
    assert (document["agent"], document["groups"], document["heartbeat"]) == (False, [], None)
    assert peers_of(plan, "hub-1")["spoke-1"]["allowed_ips"] == ["10.86.0.4/32", "fd86::4/128"]
    assert peers_of(plan, "hub-2")["spoke-1"]["allowed_ips"] == []
    assert "10.86.0.4/32" in peers_of(plan, "hub-2")["hub-1"]["allowed_ips"]
    assert slice_of(plan, "hub-2")["relays"]["fixed"] == ["spoke-1"]
    assert [peer["preshared"] for peer in peers.values()] == [False] * 3
    assert [peer["preshared"] for peer in peers_of(plan, "hub-1").values()] == [True, True, False, True]


def test_hubs_without_a_key_are_no_members_and_one_hub_alone_is_no_group():
    two = make_plan(fleet(spokes=1, without_keys=["hub-1"]), Lock())
    one = make_plan(fleet(spokes=1, without_keys=["hub-1", "hub-2"]), Lock())

    assert set(slice_of(two, "spoke-1")["groups"][0]["members"]) == {"hub-2", "hub-3"}
    assert slice_of(two, "hub-2")["relays"]["members"] == ["hub-3"]
    assert slice_of(one, "spoke-1")["groups"] == []
    assert slice_of(one, "hub-3")["relays"] is None


def first_of_full_length(peer):
    """By family, as an agent finds the address that a peer's heartbeats come from."""
    networks = [ipaddress.ip_network(text) for text in peer["allowed_ips"]]
    return {net.version: str(net) for net in reversed(networks) if net.prefixlen == net.max_prefixlen}


def test_a_network_of_one_address_does_not_stand_before_the_address_that_heartbeats_go_to():
    hosts = {
        "hub-3": {"addresses": ["10.86.0.99", "fd86::99"]},
        "spoke-1": {"site_prefixes": ["10.20.1.7/32", "fd20::7/128", "10.20.0.0/24"]},
        "spoke-2": {**PLAIN, "region": "ap"},
    }
    plan = make_plan(fleet(spokes=3, hosts=hosts), Lock())
    one_hub = make_plan(fleet(spokes=3, hosts=hosts, without_keys=["hub-1", "hub-2"]), Lock())

    assert first_of_full_length(peers_of(plan, "hub-1")["spoke-1"]) == {4: "10.86.0.3/32", 6: "fd86::3/128"}
    assert first_of_full_length(peers_of(plan, "hub-1")["hub-3"]) == {4: "10.86.0.99/32", 6: "fd86::99/128"}
    assert first_of_full_length(peers_of(one_hub, "spoke-3")["hub-3"]) == {4: "10.86.0.99/32", 6: "fd86::99/128"}
    assert "10.86.0.4/32" in peers_of(plan, "hub-1")["hub-3"]["allowed_ips"]
    assert len(peers_of(plan, "hub-1")["spoke-1"]["allowed_ips"]) == 5


def test_the_hubs_share_their_state_at_their_overlay_addresses():
    plan = make_plan(fleet(spokes=1, without_keys=["hub-2"], everywhere={"cluster_port": 7001}), Lock())

    shared = {"port": 7001, "members": [member("hub-1", "10.86.0.1"), member("hub-3", "10.86.0.3")]}
    assert slice_of(plan, "hub-1")["cluster"] == slice_of(plan, "hub-3")["cluster"] == shared
    assert slice_of(plan, "hub-2")["cluster"] is None
    assert slice_of(plan, "spoke-1")["cluster"] is None


def member(name, address):
    return {"name": name, "public_key": public_key(name), "address": address}


def test_heartbeats_are_the_same_on_all_hosts_that_have_an_agent():
    everywhere = {"heartbeat": "fast", "heartbeat_port": 7000}
    plan = make_plan(fleet(spokes=2, hosts={"spoke-2": PLAIN}, everywhere=everywhere), Lock())

    said = {host: slice_of(plan, host)["heartbeat"] for host in plan.hosts}
    fast = {"port": 7000, "interval_ms": 100, "misses": 3}
    assert said == {"hub-1": fast, "hub-2": fast, "hub-3": fast, "spoke-1": fast, "spoke-2": None}


def test_a_host_never_routes_its_own_site_into_the_tunnel():
    plan = make_plan(fleet(spokes=2, hosts=SITES), Lock())

    assert "10.20.1.0/24" not in peers_of(plan, "spoke-1")["hub-1"]["allowed_ips"]


def test_supernets_stand_for_the_sites_inside_them():
    hosts = {"spoke-1": {"site_prefixes": ["10.20.1.0/24"]}, "spoke-2": {"site_prefixes": ["192.168.7.0/24"]}}

    plan = make_plan(fleet(spokes=3, hosts=hosts, everywhere={"site_supernets": ["10.20.0.0/16"]}), Lock())

    expected = ["10.20.0.0/16", "10.86.0.0/24", "192.168.7.0/24", "fd86::/64"]
    assert slice_of(plan, "spoke-3")["groups"][0]["allowed_ips"] == expected
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
    assert Ways(plan).way("a", target)[-1] == "b"
