# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Redundant sites: who may carry them, what is missing, and what is named only."""

from __future__ import annotations

import pytest
from ansible_collections.wirefleet.wireguard.plugins.module_utils.planner import Lock, make_plan
from ansible_collections.wirefleet.wireguard.plugins.module_utils.verify import find_differences
from ansible_collections.wirefleet.wireguard.tests.unit.plugins.fleets import fleet, public_key, slice_of
from ansible_collections.wirefleet.wireguard.tests.unit.plugins.statuses import group_of, named, site_of, status_of

LAN, SITE = "10.20.0.0/24", "site-10.20.0.0-24"
BEHIND_SPOKES = {name: {"site_prefixes": [LAN]} for name in ("spoke-1", "spoke-2")}
BEHIND_HUBS = {name: {"site_prefixes": [LAN]} for name in ("hub-2", "hub-3")}


def hub_1(hosts, spokes=3):
    document = slice_of(make_plan(fleet(spokes=spokes, hosts=hosts), Lock()), "hub-1")
    return document, status_of(document)


def carry(status, to):
    """The prefix has gone to another peer."""
    for peer in status["peers"]:
        peer["allowed_ips"] = [text for text in peer["allowed_ips"] if text != LAN]
        if peer["name"] == to:
            peer["allowed_ips"].append(LAN)


@pytest.mark.parametrize("hosts", [BEHIND_SPOKES, BEHIND_HUBS])
def test_all_hosts_of_a_fleet_with_a_redundant_site_can_be_as_planned(hosts):
    plan = make_plan(fleet(spokes=3, hosts=hosts), Lock())

    for host in plan.slice_texts:
        document = slice_of(plan, host)
        assert find_differences(document, status_of(document)) == []


@pytest.mark.parametrize("carrier", ["spoke-2", "hub-2", "hub-3"])
def test_another_gateway_or_hub_that_carries_a_site_is_named_and_nothing_else(carrier):
    document, status = hub_1(BEHIND_SPOKES)
    carry(status, carrier)
    status["groups"] = [site_of(document, document["sites"][0], carrier)]

    (finding,) = find_differences(document, status)

    assert (finding.name, finding.severity, finding.peer) == ("site_gateway_switched", "warning", carrier)
    assert finding.message == f"the site {SITE} is reached over {carrier}, planned is spoke-1"


def test_a_spoke_that_is_no_gateway_must_not_have_the_prefix_of_a_site():
    document, status = hub_1(BEHIND_SPOKES)
    carry(status, "spoke-3")

    assert named(find_differences(document, status)) == [("allowed_ips_mismatch", "error", "spoke-3")]


def test_a_prefix_that_no_gateway_carries_is_missing():
    document, status = hub_1(BEHIND_SPOKES)
    carry(status, None)

    assert named(find_differences(document, status)) == [("allowed_ips_mismatch", "error", "spoke-1")]


def test_the_own_addresses_of_a_gateway_may_be_behind_another_hub_but_not_at_the_other_gateway():
    document, status = hub_1(BEHIND_SPOKES)
    peers = {peer["name"]: peer for peer in status["peers"]}
    own = [text for text in peers["spoke-1"]["allowed_ips"] if text != LAN]
    peers["spoke-1"]["allowed_ips"] = [LAN]
    peers["hub-3"]["allowed_ips"] = [*peers["hub-3"]["allowed_ips"], *own]

    assert find_differences(document, status) == []

    peers["hub-3"]["allowed_ips"] = peers["hub-3"]["allowed_ips"][: -len(own)]
    peers["spoke-2"]["allowed_ips"] = [*peers["spoke-2"]["allowed_ips"], *own]
    assert {name for name, _severity, _peer in named(find_differences(document, status))} == {"allowed_ips_mismatch"}


def test_a_site_or_a_gateway_that_is_not_there_is_named():
    document, without = hub_1(BEHIND_SPOKES)
    fewer = status_of(document)
    without["groups"] = []
    del fewer["groups"][0]["members"][1]

    assert named(find_differences(document, without)) == [("site_missing", "error", None)]
    assert named(find_differences(document, fewer)) == [("site_gateway_missing", "error", "spoke-2")]


def test_a_gateway_that_could_not_take_over_is_named():
    document, status = hub_1(BEHIND_SPOKES)
    keys = [public_key(name) for name in ("spoke-1", "spoke-2")]
    status["groups"][0]["gateways"] = [{"public_key": key, "is_well": key == keys[0]} for key in keys]

    assert named(find_differences(document, status)) == [("site_gateway_silent", "warning", "spoke-2")]


def test_an_agent_that_names_members_by_their_keys_alone_is_understood():
    document, status = hub_1(BEHIND_SPOKES)
    group = status["groups"][0]
    group["members"] = [member["public_key"] for member in group["members"]]

    assert find_differences(document, status) == []


def test_a_site_of_which_nobody_is_active_is_named():
    document, status = hub_1(BEHIND_SPOKES)
    status["groups"][0]["active"] = None

    (finding,) = find_differences(document, status)

    assert (finding.name, finding.severity, finding.peer) == ("site_gateway_switched", "warning", None)
    assert "is reached over nobody that is known" in finding.message


def test_one_hub_alone_knows_a_site_as_well():
    request = fleet(spokes=2, hosts=BEHIND_SPOKES, without_keys=["hub-2", "hub-3"])
    document = slice_of(make_plan(request, Lock()), "hub-1")
    status = status_of(document)
    status["cluster"]["members"][0]["is_connected"] = True
    carry(status, "spoke-2")
    status["groups"] = [site_of(document, document["sites"][0], "spoke-2")]

    assert named(find_differences(document, status)) == [
        ("peer_pending", "warning", "hub-2"),
        ("peer_pending", "warning", "hub-3"),
        ("site_gateway_switched", "warning", "spoke-2"),
    ]


def test_on_a_hub_another_gateway_hub_is_named_but_nobody_brings_it_back_as_a_spoke():
    document, status = hub_1(BEHIND_HUBS)
    carry(status, "hub-3")
    status["groups"] = [group_of(document, document["groups"][0], "hub-3")]

    overrides = {public_key("hub-1"): public_key("hub-2")}
    findings = find_differences(document, status, overrides=overrides)

    assert named(findings) == [("site_gateway_switched", "warning", "hub-3")]
    assert findings[0].message == f"the site {SITE} is reached over hub-3, planned is hub-2"


def test_gateway_hubs_that_could_not_take_over_are_named_as_on_spokes():
    document, status = hub_1(BEHIND_HUBS)
    status["groups"] = [group_of(document, document["groups"][0], hub_3="gone")]

    assert named(find_differences(document, status)) == [("heartbeat_missing", "error", "hub-3")]

    status["groups"] = []
    assert named(find_differences(document, status)) == [("group_missing", "error", None)]
