# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a redundant site must not be: each refusal names the hosts and what to do."""

from __future__ import annotations

import pytest
from ansible_collections.wirefleet.wireguard.plugins.module_utils.planner import Lock, _fleet, _sites, make_plan
from ansible_collections.wirefleet.wireguard.plugins.module_utils.problems import PlanError
from ansible_collections.wirefleet.wireguard.tests.unit.plugins.fleets import fleet, sharing, slice_of

LAN = "10.20.0.0/24"


def planned(hosts, spokes=3, **options):
    return make_plan(fleet(spokes=spokes, hosts=hosts, **options), Lock())


def refusal(hosts, spokes=3, **options):
    with pytest.raises(PlanError) as caught:
        planned(hosts, spokes, **options)
    return str(caught.value)


@pytest.mark.parametrize("value", [-1, 10001, "first", True])
def test_another_priority_is_refused(value):
    message = refusal({"spoke-1": {"site_priority": value}})

    assert f"wirefleet_site_priority: {value!r} is not a number from 0 to 10000 [spoke-1]" in message


def test_prefixes_that_overlap_without_being_equal_are_no_site():
    hosts = {
        **sharing("spoke-1", "spoke-2", prefixes=["10.20.0.0/16"]),
        **sharing("spoke-3", "hub-1", prefixes=["10.20.7.0/24"]),
    }

    message = refusal(hosts)

    assert "site prefixes 10.20.0.0/16 and 10.20.7.0/24 overlap [spoke-1, spoke-2, hub-1, spoke-3]" in message
    assert "the same prefix is on each of its gateways" in message


def test_all_gateways_are_named_where_a_site_collides_with_the_overlay():
    message = refusal(sharing("spoke-1", "spoke-2", prefixes=["10.86.0.0/25"]))

    assert "collides with the overlay 10.86.0.0/24 [spoke-1, spoke-2]" in message


def test_an_endpoint_inside_a_redundant_site_is_refused():
    hosts = {**sharing("spoke-1", "spoke-2"), "hub-1": {"endpoint": "10.20.0.4"}}

    assert "endpoint 10.20.0.4 lies inside 10.20.0.0/24, a site prefix of " in refusal(hosts)


def test_a_site_behind_hubs_and_spokes_is_refused():
    message = refusal(sharing("hub-2", "spoke-1", "spoke-2", prefixes=[LAN, "fd20::/48"]))

    assert (
        "wirefleet_site_prefixes: site prefixes 10.20.0.0/24, fd20::/48 are behind hubs and spokes "
        "[hub-2, spoke-1, spoke-2] -- a site has either hubs or spokes as its gateways"
    ) in message


def test_a_plain_spoke_is_no_gateway_among_several():
    message = refusal(sharing("spoke-1", "spoke-2", spoke_2={"agent": False}))

    assert (
        "wirefleet_site_prefixes: site prefixes 10.20.0.0/24 are behind several hosts, of which each needs an agent "
        "[spoke-2] -- take them from this host, or let it have them alone"
    ) in message
    planned(sharing("spoke-2", spoke_2={"agent": False}))


def test_a_site_has_sixteen_gateways_at_most():
    spokes = [f"spoke-{n}" for n in range(1, 18)]

    assert len(slice_of(planned(sharing(*spokes[:16]), spokes=17), "hub-1")["sites"][0]["members"]) == 16
    message = refusal(sharing(*spokes), spokes=17)
    assert "site prefixes 10.20.0.0/24 are behind 17 hosts, more than 16 [spoke-1, " in message


def test_a_hub_takes_no_more_sites_than_its_agent(monkeypatch):
    monkeypatch.setattr(_sites, "MAX_SITES", 1)
    hosts = {"spoke-1": {"site_prefixes": [LAN]}, "spoke-2": {"site_prefixes": [LAN, "fd20::/48"]}}

    planned(sharing("spoke-1", "spoke-2", prefixes=[LAN, "fd20::/48"]))
    message = refusal({**hosts, "spoke-3": {"site_prefixes": ["fd20::/48"]}})
    assert "2 redundant sites are too many for a hub, which takes 1 -- let the same hosts share" in message


def test_one_address_of_a_family_that_the_overlay_lacks_would_be_taken_for_the_gateways_own():
    hosts = sharing("spoke-1", "spoke-2", prefixes=["fd20::7/128"])

    message = refusal(hosts, everywhere={"overlay_prefixes": ["10.86.0.0/24"]})

    assert "site prefix fd20::7/128 is one address, and the overlay has no network of its family" in message
    assert "[spoke-1, spoke-2] -- name a wider prefix" in message
    planned(sharing("spoke-1", "spoke-2", prefixes=["fd20::/64"]), everywhere={"overlay_prefixes": ["10.86.0.0/24"]})
    planned(hosts)


def test_a_prefix_of_several_gateways_is_one_route(monkeypatch):
    monkeypatch.setattr(_fleet, "MAX_ROUTE_ENTRIES", 3)

    planned(sharing("spoke-1", "spoke-2", "spoke-3"))
    assert "2 site prefixes on each of 3 spokes" in refusal(sharing("spoke-1", "spoke-2", prefixes=[LAN, "fd20::/48"]))
