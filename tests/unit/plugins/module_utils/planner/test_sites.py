# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Redundant sites: networks behind several spokes, or behind several hubs."""

from __future__ import annotations

import ipaddress
import itertools
import json

import pytest
from ansible_collections.wirefleet.wireguard.plugins.module_utils.plan_diff import diff_plans
from ansible_collections.wirefleet.wireguard.plugins.module_utils.planner import Lock, make_plan
from ansible_collections.wirefleet.wireguard.tests.unit.plugins.fleets import (
    fleet,
    peers_of,
    plan_again,
    sharing,
    slice_of,
)
from ansible_collections.wirefleet.wireguard.tests.unit.plugins.ways import Ways, own_addresses

HUBS = ("hub-1", "hub-2", "hub-3")
LAN = "10.20.0.0/24"  # what sharing() gives hosts unless told otherwise
SITE = "site-10.20.0.0-24"


def planned(hosts, spokes=3, **options):
    return make_plan(fleet(spokes=spokes, hosts=hosts, **options), Lock())


def sites_of(plan, host):
    return slice_of(plan, host)["sites"]


def at(plan, host, prefix=LAN):
    """The peers at which a prefix stands in the host's file."""
    return [name for name, peer in peers_of(plan, host).items() if prefix in peer["allowed_ips"]]


def test_hosts_that_name_the_same_prefix_are_the_gateways_of_a_site_on_every_hub():
    plan = planned(sharing("spoke-2", "spoke-1"))

    for hub in HUBS:
        assert sites_of(plan, hub) == [{"name": SITE, "members": ["spoke-1", "spoke-2"], "allowed_ips": [LAN]}]
        assert at(plan, hub) == ["spoke-1"]
        assert slice_of(plan, hub)["groups"] == []
        assert slice_of(plan, hub)["local_networks"] == []


def test_other_spokes_have_the_prefix_in_the_group_of_their_hubs_and_know_of_no_site():
    plan = planned(sharing("spoke-1", "spoke-2"))
    alone = planned(sharing("spoke-1"))

    assert slice_of(plan, "spoke-3") == slice_of(alone, "spoke-3")
    assert LAN in slice_of(plan, "spoke-3")["groups"][0]["allowed_ips"]
    assert sites_of(plan, "spoke-3") == []


@pytest.mark.parametrize("gateway", ["spoke-1", "spoke-2"])
def test_a_gateway_takes_its_own_network_from_its_hubs_and_names_it_local(gateway):
    plan = planned(sharing("spoke-1", "spoke-2"))
    document = slice_of(plan, gateway)

    assert document["local_networks"] == [LAN]
    assert LAN in document["groups"][0]["allowed_ips"]
    assert at(plan, gateway) == [document["preferred_hubs"][0]]
    assert document["forwarding"] is True


def test_a_host_that_has_its_networks_alone_is_as_ever():
    alone = planned({"spoke-3": {"site_prefixes": ["10.30.0.0/24"]}, "hub-2": {"site_prefixes": ["10.31.0.0/24"]}})
    among_sites = planned({**sharing("spoke-1", "spoke-2"), "spoke-3": {"site_prefixes": ["10.30.0.0/24"]}})

    for host in alone.slice_texts:
        document = slice_of(alone, host)
        assert (document["sites"], document["local_networks"]) == ([], [])
    assert '"sites"' not in alone.plan_text
    assert slice_of(among_sites, "spoke-3")["local_networks"] == []
    assert at(among_sites, "hub-1", "10.30.0.0/24") == ["spoke-3"]


def test_gateways_are_ordered_by_priority_then_naturally():
    hosts = sharing("spoke-10", "spoke-9", "spoke-2", "spoke-1", spoke_10={"site_priority": "5"})
    hosts["spoke-1"]["site_priority"] = 101

    plan = planned(hosts, spokes=10)

    (site,) = sites_of(plan, "hub-1")
    assert site["members"] == ["spoke-10", "spoke-2", "spoke-9", "spoke-1"]
    assert at(plan, "hub-1") == ["spoke-10"]


def test_a_priority_alone_changes_nothing():
    assert planned({"spoke-1": {"site_priority": 1}}) == planned({})


def test_prefixes_with_the_same_gateways_are_one_site_and_others_are_others():
    hosts = {
        "spoke-1": {"site_prefixes": ["fd20::/48", "10.20.0.0/24", "10.23.0.0/24"]},
        "spoke-2": {"site_prefixes": ["fd20::/48", "10.20.0.0/24", "10.22.0.0/24"]},
        "spoke-3": {"site_prefixes": ["10.22.0.0/24", "10.24.0.0/24"]},
    }

    plan = planned(hosts)

    assert sites_of(plan, "hub-2") == [
        {"name": SITE, "members": ["spoke-1", "spoke-2"], "allowed_ips": ["10.20.0.0/24", "fd20::/48"]},
        {"name": "site-10.22.0.0-24", "members": ["spoke-2", "spoke-3"], "allowed_ips": ["10.22.0.0/24"]},
    ]
    assert [at(plan, "hub-2", prefix) for prefix in ("fd20::/48", "10.22.0.0/24")] == [["spoke-1"], ["spoke-2"]]
    assert [at(plan, "hub-2", prefix) for prefix in ("10.23.0.0/24", "10.24.0.0/24")] == [["spoke-1"], ["spoke-3"]]
    assert slice_of(plan, "spoke-2")["local_networks"] == ["10.20.0.0/24", "10.22.0.0/24", "fd20::/48"]
    assert slice_of(plan, "spoke-3")["local_networks"] == ["10.22.0.0/24"]


def test_a_hub_without_the_network_has_an_ordinary_group_of_the_hubs_that_have_it():
    hosts = sharing("hub-2", "hub-3", hub_3={"site_priority": 1})
    hosts["hub-1"] = {"failover_policy": "priority_preempt", "failover_hold": 5}

    plan = planned(hosts)

    assert slice_of(plan, "hub-1")["groups"] == [
        {
            "name": SITE,
            "members": ["hub-3", "hub-2"],
            "allowed_ips": [LAN],
            "policy": "priority_preempt",
            "hold_s": 5,
        }
    ]
    assert at(plan, "hub-1") == ["hub-3"]
    assert sites_of(plan, "hub-1") == []
    assert slice_of(plan, "hub-1")["local_networks"] == []


def test_two_hubs_with_the_same_network_take_it_plainly_from_each_other():
    plan = planned(sharing("hub-2", "hub-3"))

    for hub, other in (("hub-2", "hub-3"), ("hub-3", "hub-2")):
        document = slice_of(plan, hub)
        assert (document["groups"], document["local_networks"]) == ([], [LAN])
        assert at(plan, hub) == [other]


def test_a_network_behind_all_hubs_is_a_group_of_the_two_others_on_each():
    plan = planned(sharing(*HUBS))

    for hub in HUBS:
        document, others = slice_of(plan, hub), [name for name in HUBS if name != hub]
        assert [(group["name"], group["members"]) for group in document["groups"]] == [(SITE, others)]
        assert document["local_networks"] == [LAN]
        assert at(plan, hub) == others[:1]


def test_a_gateway_whose_key_is_unknown_is_left_out_and_one_alone_is_no_site():
    hosts = sharing("spoke-1", "spoke-2", "spoke-3")
    two = planned(hosts, without_keys=["spoke-1"])
    one = planned(hosts, without_keys=["spoke-1", "spoke-2"])
    none = planned(hosts, without_keys=["spoke-1", "spoke-2", "spoke-3"])

    assert [site["members"] for site in sites_of(two, "hub-1")] == [["spoke-2", "spoke-3"]]
    assert at(two, "hub-1") == ["spoke-2"]
    assert (sites_of(one, "hub-1"), at(one, "hub-1")) == ([], ["spoke-3"])
    assert (at(one, "spoke-3"), slice_of(one, "spoke-3")["local_networks"]) == ([], [])
    assert (sites_of(none, "hub-1"), at(none, "hub-1")) == ([], [])


def test_a_gateway_that_waits_for_its_own_key_is_planned_as_one_already():
    plan = planned(sharing("spoke-1", "spoke-2"), without_keys=["spoke-1"])

    assert slice_of(plan, "spoke-1")["local_networks"] == [LAN]
    assert slice_of(plan, "spoke-2")["local_networks"] == []


def test_a_gateway_hub_whose_key_is_unknown_is_left_out():
    plan = planned(sharing(*HUBS), without_keys=["hub-2"])

    assert (slice_of(plan, "hub-1")["groups"], at(plan, "hub-1")) == ([], ["hub-3"])
    assert slice_of(plan, "hub-1")["local_networks"] == [LAN]
    alone = planned(sharing(*HUBS), without_keys=["hub-2", "hub-3"])
    assert (slice_of(alone, "hub-1")["local_networks"], at(alone, "hub-1")) == ([], [])


def test_without_any_hub_there_is_nobody_to_take_a_network_from():
    plan = planned(sharing("spoke-1", "spoke-2"), without_keys=HUBS)

    assert slice_of(plan, "spoke-1")["local_networks"] == []


def test_with_one_hub_the_network_stands_at_that_hub():
    plan = planned(sharing("spoke-1", "spoke-2"), without_keys=["hub-1", "hub-2"])

    assert (slice_of(plan, "spoke-1")["groups"], at(plan, "spoke-1")) == ([], ["hub-3"])
    assert slice_of(plan, "spoke-1")["local_networks"] == [LAN]
    assert [site["name"] for site in sites_of(plan, "hub-3")] == [SITE]


def test_a_wider_supernet_already_takes_what_a_gateway_has_to_take():
    plan = planned(sharing("spoke-1", "spoke-2"), everywhere={"site_supernets": ["10.20.0.0/16"]})

    assert slice_of(plan, "spoke-1")["local_networks"] == []
    assert at(plan, "spoke-1") == []
    assert len(at(plan, "spoke-1", "10.20.0.0/16")) == 1
    assert [site["name"] for site in sites_of(plan, "hub-1")] == [SITE]
    assert "10.20.0.0/24" not in slice_of(plan, "spoke-3")["groups"][0]["allowed_ips"]


@pytest.mark.parametrize("supernets", [[LAN], ["10.20.0.128/25"], [LAN, "10.20.0.0/25"]])
def test_a_supernet_inside_the_network_is_none_for_its_gateways(supernets):
    plan = planned(sharing("spoke-1", "spoke-2"), everywhere={"site_supernets": supernets})

    document = slice_of(plan, "spoke-1")
    assert document["local_networks"] == [LAN]
    assert document["groups"][0]["allowed_ips"] == [LAN, "10.86.0.0/24", "fd86::/64"]
    Ways(plan)


def test_hubs_have_no_supernets_so_theirs_are_local_in_any_case():
    plan = planned(sharing("hub-1", "hub-2"), everywhere={"site_supernets": ["10.20.0.0/16"]})

    assert slice_of(plan, "hub-1")["local_networks"] == [LAN]


@pytest.mark.parametrize(
    ("prefix", "name"),
    [
        ("172.16.0.0/12", "site-172.16.0.0-12"),
        ("fc00::/8", "site-fc00---8"),
        ("2001:db8:aaaa:bbbb::/64", "site-2001-db8-aaaa-bbbb---64"),
        ("2001:db8:aaaa:bbbb:cccc:dddd::/96", "site-2001-db8-aaaa-bbbb-cccc-ddd"),
    ],
)
def test_a_site_is_called_by_its_first_prefix(prefix, name):
    plan = planned(sharing("spoke-1", "spoke-2", prefixes=[prefix]))

    assert [site["name"] for site in sites_of(plan, "hub-1")] == [name]


def test_names_that_are_cut_alike_are_told_apart_in_the_order_of_the_prefixes():
    wide = "2001:db8:aaaa:bbbb:cccc:ddd"
    hosts = {}
    for number in range(11):
        hosts |= sharing(*(f"spoke-{2 * number + n}" for n in (1, 2)), prefixes=[f"{wide}{number:x}::/96"])

    plan = planned(hosts, spokes=22)

    names = [site["name"] for site in sites_of(plan, "hub-1")]
    assert names[:2] == ["site-2001-db8-aaaa-bbbb-cccc-ddd", "site-2001-db8-aaaa-bbbb-cccc-d-2"]
    assert names[-1] == "site-2001-db8-aaaa-bbbb-cccc--11"
    assert len(set(names)) == 11
    assert {len(name) for name in names} == {32}


def test_a_site_of_one_address_does_not_stand_before_its_gateways_own():
    plan = planned(sharing("spoke-1", "spoke-2", prefixes=["10.20.0.7/32"]))

    assert peers_of(plan, "hub-1")["spoke-1"]["allowed_ips"] == ["10.86.0.4/32", "fd86::4/128", "10.20.0.7/32"]


def test_the_plan_and_its_difference_name_sites_and_their_gateways():
    before = planned(sharing("spoke-1"))
    after = plan_again(before, fleet(spokes=3, hosts=sharing("spoke-1", "spoke-2", prefixes=[LAN, "fd20::/48"])))

    assert json.loads(after.plan_text)["sites"] == {
        SITE: {"gateways": ["spoke-1", "spoke-2"], "prefixes": [LAN, "fd20::/48"]}
    }
    assert diff_plans(json.loads(before.plan_text), after)["after"].splitlines()[:3] == [
        f"{SITE} gateways: spoke-1, spoke-2",
        f"{SITE} prefixes: {LAN}",
        f"{SITE} prefixes: fd20::/48",
    ]


def test_a_second_gateway_inside_a_supernet_changes_its_own_slice_and_those_of_the_hubs():
    inside = {"everywhere": {"site_supernets": ["10.20.0.0/16"]}}
    before = planned(sharing("spoke-1"), **inside)

    after = plan_again(before, fleet(spokes=3, hosts=sharing("spoke-1", "spoke-2"), **inside))

    changed = {name for name, text in after.slice_texts.items() if before.slice_texts[name] != text}
    assert changed == {*HUBS, "spoke-2"}


SEVERAL = {
    **sharing("spoke-1", "spoke-2"),
    **sharing("hub-2", "hub-3", prefixes=["10.30.0.0/24"]),
    "spoke-3": {"site_prefixes": ["10.40.0.0/24"]},
    "spoke-4": {"agent": False},
}


@pytest.mark.parametrize("supernets", [[], ["10.20.0.0/16"], ["10.20.0.0/24", "10.30.0.0/25"]])
@pytest.mark.parametrize("uses", list(itertools.product(HUBS, repeat=2)))
@pytest.mark.parametrize("gateway", ["spoke-1", "spoke-2"])
@pytest.mark.parametrize("gateway_hub", ["hub-2", "hub-3"])
def test_whoever_carries_a_site_every_packet_of_it_arrives_and_every_hop_takes_it(
    supernets, uses, gateway, gateway_hub
):
    plan = planned(SEVERAL, spokes=4, everywhere={"site_supernets": supernets})
    over = {(hub, SITE): gateway for hub in HUBS} | {("hub-1", "site-10.30.0.0-24"): gateway_hub}
    ways = Ways(plan, {"spoke-1": uses[0], "spoke-2": uses[1], "spoke-3": "hub-1"}, over)
    gateways = {"10.20.0.9": {"spoke-1", "spoke-2"}, "10.30.0.9": {"hub-2", "hub-3"}, "10.40.0.9": {"spoke-3"}}

    for target, behind in gateways.items():
        for source in plan.hosts:
            assert ways.way(source, target)[-1] in behind
            for gate in behind:
                answer = ipaddress.ip_address(target)
                for address in own_addresses(plan, source)[:1]:
                    assert ways.way(gate, address, source_address=answer)[-1] == source
        for other in gateways:
            for gate in behind:
                assert ways.way(gate, other, source_address=ipaddress.ip_address(target))[-1] in gateways[other]


@pytest.mark.parametrize("relay", ["hub-1", "hub-2"])
def test_a_hub_that_hears_no_gateway_reaches_the_site_over_another_hub(relay):
    plan = planned(sharing("spoke-1", "spoke-2"))
    ways = Ways(plan, {"spoke-3": "hub-3"}, {("hub-3", SITE): relay, (relay, SITE): "spoke-2"})

    assert ways.way("spoke-3", "10.20.0.9") == ["spoke-3", "hub-3", relay, "spoke-2"]
    assert ways.way("hub-3", "10.20.0.9") == ["hub-3", "spoke-1"]
