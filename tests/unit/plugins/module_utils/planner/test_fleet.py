# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.wirefleet.wireguard.plugins.module_utils.planner import Lock, _fleet, _networks, make_plan
from ansible_collections.wirefleet.wireguard.plugins.module_utils.problems import PlanError
from ansible_collections.wirefleet.wireguard.tests.unit.plugins.fleets import (
    fleet,
    lock_of,
    plan_again,
    public_key,
    slice_of,
)


def refusal(request, lock=None):
    with pytest.raises(PlanError) as caught:
        make_plan(request, lock or Lock())
    return str(caught.value)


def site(*prefixes):
    return {"site_prefixes": list(prefixes)}


def test_a_fleet_has_exactly_three_hubs():
    assert "exactly three hubs, not 2 [hub-1, hub-2]" in refusal(fleet(hubs=["hub-1", "hub-2"]))
    assert "exactly three hubs, not 4" in refusal(fleet(hubs=["hub-1", "hub-2", "hub-3", "hub-4"]))
    assert "exactly three hubs, not 0" in refusal(fleet(hubs=[], allow_degraded=True))
    assert "exactly three hubs, not 4" in refusal(fleet(hubs=["h1", "h2", "h3", "h4"], allow_degraded=True))


def test_a_degraded_fleet_is_planned_with_a_warning_when_that_is_allowed():
    plan = make_plan(fleet(hubs=["hub-1"], spokes=["s"], everywhere={"region": "eu"}, allow_degraded=True), Lock())

    assert plan.warnings == ["The overlay is degraded: 1 of 3 hubs (hub-1)."]


def test_a_host_in_both_groups_is_refused():
    assert "a host is either a hub or a spoke [hub-1]" in refusal(fleet(spokes=["hub-1", "s"]))


@pytest.mark.parametrize("name", ["../etc", "a b", "-x", ".hidden", "a/b", "ends.", "ü", "x" * 129, "a\n"])
def test_a_host_name_must_be_fit_for_a_file_name(name):
    assert "a planned host has a name of letters" in refusal(fleet(spokes=[name]))


def test_names_that_differ_only_in_case_are_refused():
    assert "differ only in upper and lower case [Web, web]" in refusal(fleet(spokes=["web", "Web"]))


def test_overlapping_site_prefixes_name_both_hosts():
    hosts = {
        "spoke-1": site("10.20.0.0/16", "10.1.0.0/24"),
        "spoke-2": site("10.20.5.0/24"),
        "hub-1": site("10.20.9.0/24"),
    }

    message = refusal(fleet(hosts=hosts))

    assert "site prefixes 10.20.0.0/16 and 10.20.5.0/24 overlap [spoke-1, spoke-2]" in message
    assert "site prefixes 10.20.0.0/16 and 10.20.9.0/24 overlap [spoke-1, hub-1]" in message
    assert "10.1.0.0/24" not in message


def test_one_host_must_not_name_a_network_twice_in_two_widths():
    assert "overlap [spoke-1]" in refusal(fleet(hosts={"spoke-1": site("fd00:1::/48", "fd00:1:0:2::/64")}))


@pytest.mark.parametrize("prefix", ["10.86.0.0/16", "10.86.0.128/25", "fd86::/48"])
def test_a_site_prefix_that_collides_with_the_overlay_is_refused(prefix):
    assert "collides with the overlay" in refusal(fleet(hosts={"spoke-2": site(prefix)}))


@pytest.mark.parametrize(
    ("prefix", "complaint"),
    [
        ("10.1.2.3/24", "'10.1.2.3/24' has host bits set; the network is 10.1.2.0/24"),
        ("10.1.2.0", "is not a network; write it as 10.1.2.0/LENGTH"),
        ("10.1.2.0/33", "is not a network"),
        ("10.1.2.0/255.255.255.0", "is not a network"),
        ("10.1/16", "is not an IPv4 or IPv6 address"),
        ("010.1.0.0/16", "is not an IPv4 or IPv6 address"),
        ("fe80::%eth0/64", "is not an IPv4 or IPv6 address"),
        ("::ffff:10.0.0.0/104", "is an IPv4-mapped address"),
        ("0.0.0.0/0", "is not a network that hosts live in"),
        ("224.0.0.0/8", "is not a network that hosts live in"),
        ("127.0.0.0/8", "is not a network that hosts live in"),
        ("fe80::/64", "is not a network that hosts live in"),
        ("::/128", "is not a network that hosts live in"),
        ("nonsense", "is not an IPv4 or IPv6 address"),
        ("", "is not an IPv4 or IPv6 address"),
        (7, "7 is not a text"),
    ],
)
def test_an_unusable_site_prefix_is_refused(prefix, complaint):
    message = refusal(fleet(hosts={"spoke-2": {"site_prefixes": [prefix]}}))

    assert complaint in message
    assert "wirefleet_site_prefixes" in message
    assert "[spoke-2]" in message


def test_a_list_may_be_written_as_one_text_with_commas():
    plan = make_plan(fleet(hosts={"spoke-1": {"site_prefixes": "10.2.0.0/24, 10.1.0.0/24"}}), Lock())

    assert '"site_prefixes": ["10.1.0.0/24", "10.2.0.0/24"]' in plan.plan_text


def test_a_mapping_is_no_list():
    assert "is not a list" in refusal(fleet(hosts={"spoke-1": {"site_prefixes": {"a": 1}}}))


def test_a_hub_needs_an_endpoint_and_a_spoke_does_not():
    message = refusal(fleet(hosts={"hub-2": {"endpoint": None}, "hub-3": {"endpoint": ""}}))

    assert "a hub needs an endpoint that spokes reach [hub-2, hub-3]" in message
    assert "spoke" not in message.partition("[")[2].partition("]")[0]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("192.0.2.7", "192.0.2.7:51820"),
        ("192.0.2.7:7", "192.0.2.7:7"),
        ("2001:DB8::7", "[2001:db8::7]:51820"),
        ("[2001:db8::7]:9", "[2001:db8::7]:9"),
        ("[2001:db8::7]", "[2001:db8::7]:51820"),
        ("VPN.example.net", "vpn.example.net:51820"),
        ("vpn-1:443", "vpn-1:443"),
    ],
)
def test_an_endpoint_is_an_address_or_a_name_with_or_without_a_port(text, shown):
    plan = make_plan(fleet(spokes=1, hosts={"spoke-1": {"endpoint": text}}), Lock())

    assert f'"endpoint": "{shown}"' in plan.plan_text


@pytest.mark.parametrize(
    "text",
    [
        "a b",
        "host:0",
        "host:65536",
        "host:x",
        "host:",
        ":1",
        "[::1",
        "[::1]x",
        "[2001:db8::1]:",
        "-a",
        "1.2.3",
        "0.0.0.0",
        "ff02::1",
        "x" * 254,
    ],
)
def test_an_unreadable_endpoint_is_refused(text):
    assert "is not an endpoint" in refusal(fleet(hosts={"spoke-1": {"endpoint": text}}))


def test_an_endpoint_is_used_once():
    hosts = {"spoke-1": {"endpoint": "192.0.2.1"}, "spoke-2": {"endpoint": "192.0.2.1:9"}}

    assert "endpoint 192.0.2.1:51820 is used twice [hub-1, spoke-1]" in refusal(fleet(hosts=hosts))


def test_an_endpoint_inside_a_network_that_goes_through_the_tunnel_is_refused():
    hosts = {
        "hub-1": {"endpoint": "10.86.0.200"},
        "hub-2": {"endpoint": "10.20.3.4"},
        "hub-3": {"endpoint": "10.40.0.1"},
        "spoke-1": site("10.20.0.0/16", "10.30.0.0/16"),
    }

    message = refusal(fleet(hosts=hosts, everywhere={"site_supernets": ["10.40.0.0/16"]}))

    assert "endpoint 10.86.0.200 lies inside 10.86.0.0/24, the overlay" in message
    assert "endpoint 10.20.3.4 lies inside 10.20.0.0/16, a site prefix of spoke-1" in message
    assert "endpoint 10.40.0.1 lies inside 10.40.0.0/16, a site supernet" in message


def test_an_unknown_region_is_refused_with_the_known_ones():
    message = refusal(fleet(hosts={"spoke-2": {"region": "mars"}, "spoke-1": {"region": None}}))

    assert "region 'mars' is unknown [spoke-2]" in message
    assert "region 'default' is unknown [spoke-1]" in message
    assert "known regions are ap, eu, us" in message


def test_named_regions_may_have_no_hub():
    plan = make_plan(
        fleet(everywhere={"regions": ["eu", "us", "ap", "sa"]}, hosts={"spoke-1": {"region": "sa"}}), Lock()
    )

    assert slice_of(plan, "spoke-1")["region"] == "sa"


def test_a_fleet_without_regions_has_one_of_its_own():
    plan = make_plan(fleet(everywhere={"region": None}), Lock())

    assert slice_of(plan, "spoke-1")["region"] == "default"


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"port": 0}, "wirefleet_port: 0 is not a number from 1 to 65535"),
        ({"port": True}, "wirefleet_port: True is not a number"),
        ({"port": "x"}, "wirefleet_port: 'x' is not a number"),
        ({"mtu": 1279}, "wirefleet_mtu: 1279 is not a number from 1280 to 65455"),
        ({"mtu": 70000}, "wirefleet_mtu: 70000 is not a number"),
        ({"keepalive": -1}, "wirefleet_keepalive: -1 is not a number from 0 to 65535"),
        ({"weight": "x" * 100}, "wirefleet_weight: 'xxx"),
        ({"tunnel": "much-too-long-for-it"}, "is not an interface name"),
        ({"tunnel": ".."}, "is not an interface name"),
        ({"tunnel": 5}, "is not an interface name"),
        ({"region": "a b"}, "is not a region's name"),
        ({"endpoint": 5}, "5 is not a text"),
        ({"addresses": ["10.86.0.300"]}, "'10.86.0.300' is not an IPv4 or IPv6 address"),
    ],
)
def test_values_out_of_range_are_refused(values, complaint):
    assert complaint in refusal(fleet(hosts={"spoke-1": values}))


def test_numbers_may_be_texts():
    plan = make_plan(fleet(hosts={"spoke-1": {"port": " 4500", "mtu": "1380"}}), Lock())

    assert slice_of(plan, "spoke-1")["interface"] == {
        "addresses": ["10.86.0.4/24", "fd86::4/64"],
        "listen_port": 4500,
        "mtu": 1380,
    }


def test_an_option_of_the_task_wins_over_the_variables():
    options = {"port": 9999, "overlay_prefixes": ["10.99.0.0/24"], "preshared_keys": True, "tunnel": "wfx"}

    plan = make_plan(fleet(everywhere={"port": 1}, options=options), Lock())

    document = slice_of(plan, "spoke-1")
    assert document["interface"]["listen_port"] == 9999
    assert document["overlay"] == ["10.99.0.0/24"]
    assert document["tunnel"] == "wfx"
    assert all(peer["preshared"] for peer in document["peers"])


@pytest.mark.parametrize(("text", "value"), [("yes", True), ("False", False), (True, True), ("0", False)])
def test_a_truth_value_may_be_a_text(text, value):
    plan = make_plan(fleet(everywhere={"preshared_keys": text}), Lock())

    assert all(peer["preshared"] is value for peer in slice_of(plan, "spoke-1")["peers"])


def test_something_else_is_no_truth_value():
    assert "'maybe' is neither true nor false" in refusal(fleet(everywhere={"preshared_keys": "maybe"}))


def test_hosts_must_agree_about_the_fleet():
    message = refusal(fleet(hosts={"spoke-2": {"overlay_prefixes": ["10.87.0.0/24"]}}))

    assert "wirefleet_overlay_prefixes: hosts disagree about a variable of the whole fleet [spoke-2]" in message


def test_a_fleet_variable_may_be_set_on_some_hosts_only():
    hosts = {name: {"overlay_prefixes": None} for name in ("hub-2", "spoke-1")}

    make_plan(fleet(hosts=hosts), Lock())


def test_an_overlay_has_one_prefix_per_family():
    assert "the overlay has no network" in refusal(fleet(everywhere={"overlay_prefixes": None}))
    assert "at most one IPv4 and one IPv6 network" in refusal(
        fleet(everywhere={"overlay_prefixes": ["10.1.0.0/24", "10.2.0.0/24"]})
    )


def test_too_many_single_routes_are_refused_in_favour_of_supernets(monkeypatch):
    monkeypatch.setattr(_fleet, "MAX_ROUTE_ENTRIES", 3)
    hosts = {"spoke-1": site("10.20.1.0/24"), "spoke-2": site("10.20.2.0/24")}

    assert "2 site prefixes on each of 3 spokes are too many routes" in refusal(fleet(hosts=hosts))
    make_plan(fleet(hosts=hosts, everywhere={"site_supernets": ["10.20.0.0/16"]}), Lock())


def test_duplicate_keys_name_the_hosts():
    request = fleet(public_keys={"hub-1": public_key("x"), "spoke-1": public_key("x")})

    assert "public_keys: hosts share one public key [hub-1, spoke-1]" in refusal(request)


@pytest.mark.parametrize("key", ["x", public_key("a")[:-1], "A" * 43 + "=", public_key("a").lower() + " ", "é" * 44, 5])
def test_a_broken_public_key_is_refused(key):
    message = refusal(fleet(public_keys={"spoke-1": key}))

    assert "public_keys: a public key is" in message
    assert "[spoke-1]" in message


def test_a_key_comes_from_the_task_else_from_the_variable_else_from_the_lock():
    first = make_plan(fleet(spokes=["a", "b", "c"]), Lock())
    request = fleet(
        spokes=["a", "b", "c"],
        hosts={"a": {"public_key": public_key("variable")}, "b": {"public_key": public_key("variable b")}},
        public_keys={"a": public_key("task"), "b": None},
    )

    after = lock_of(plan_again(first, request))

    assert after.hosts["a"].public_key == public_key("task")
    assert after.hosts["b"].public_key == public_key("variable b")
    assert after.hosts["c"].public_key == public_key("c")


def test_a_host_without_a_key_is_pending_and_nobodys_peer_but_has_an_address():
    plan = make_plan(fleet(spokes=2, hosts={"spoke-2": site("10.20.0.0/16")}, without_keys=["spoke-2"]), Lock())

    assert plan.pending == ["spoke-2"]
    assert plan.hosts["spoke-2"]["addresses"] == ["10.86.0.5", "fd86::5"]
    assert slice_of(plan, "hub-1")["pending"] == ["spoke-2"]
    assert slice_of(plan, "spoke-2")["public_key"] is None
    for other in ("hub-1", "hub-2", "hub-3", "spoke-1"):
        assert "10.20.0.0/16" not in plan.slice_texts[other]
        assert "10.86.0.5" not in plan.slice_texts[other]


def test_all_problems_are_reported_together():
    request = fleet(
        hubs=["hub-1", "hub-2"],
        hosts={"spoke-1": {"port": 0}, "spoke-2": {"region": "mars"}, "hub-2": {"endpoint": None}},
        public_keys={"hub-1": "x"},
    )

    with pytest.raises(PlanError) as caught:
        make_plan(request, Lock())

    assert len(caught.value.problems) >= 5
    assert all(problem.as_dict()["message"] for problem in caught.value.problems)


def test_one_mistake_on_many_hosts_is_one_problem():
    with pytest.raises(PlanError) as caught:
        make_plan(fleet(spokes=50, everywhere={"mtu": 1}), Lock())

    assert len(caught.value.problems) == 1
    assert "[hub-1, hub-2, hub-3, spoke-1, spoke-2, spoke-3, spoke-4, spoke-5 and 45 more]" in str(caught.value)


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setattr(_networks, "HAS_NETADDR", False)

    assert "netaddr is missing on the controller" in refusal(fleet())


def test_a_hub_whose_endpoint_is_unreadable_is_told_so_once():
    message = refusal(fleet(hosts={"hub-2": {"endpoint": "not an endpoint"}, "hub-3": {"endpoint": None}}))

    assert message.count("hub-2") == 1
    assert "is not an endpoint" in message
    assert "a hub needs an endpoint that spokes reach [hub-3]" in message


def test_each_platform_has_its_own_rule_for_the_name_of_a_tunnel():
    windows = {"platform": "windows", "tunnel": "上海-01"}

    plan = make_plan(fleet(hosts={"spoke-1": windows}), Lock())

    assert slice_of(plan, "spoke-1")["tunnel"] == "上海-01"
    assert "interface name of Linux" in refusal(fleet(hosts={"spoke-1": {"tunnel": "上海-01"}}))
    assert "tunnel's name on Windows" in refusal(fleet(hosts={"spoke-1": {**windows, "tunnel": "nul"}}))


def test_an_unknown_platform_is_refused():
    assert "is not linux or windows" in refusal(fleet(hosts={"spoke-1": {"platform": "beos"}}))


@pytest.mark.parametrize("name", ["-x", "identity", "wf/0", "a" * 16, ".."])
def test_the_agent_on_linux_would_refuse_these_names(name):
    assert "interface name of Linux" in refusal(fleet(hosts={"spoke-1": {"tunnel": name}}))
