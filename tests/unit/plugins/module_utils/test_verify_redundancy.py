# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Groups, hubs and their cluster: what differs from the plan and what is named only."""

from __future__ import annotations

import pytest
from ansible_collections.wirefleet.wireguard.plugins.module_utils.planner import Lock, make_plan
from ansible_collections.wirefleet.wireguard.plugins.module_utils.verify import find_differences
from ansible_collections.wirefleet.wireguard.tests.unit.plugins.fleets import fleet, public_key, slice_of
from ansible_collections.wirefleet.wireguard.tests.unit.plugins.statuses import group_of, named, status_of

SITES = {"spoke-1": {"site_prefixes": ["10.20.1.0/24"]}, "spoke-2": {"endpoint": "vpn.example.net"}}


@pytest.fixture
def plan():
    return make_plan(fleet(spokes=2, hosts=SITES), Lock())


def moved(document, status, to):
    """The same host after its group has gone to another hub."""
    (group,) = document["groups"]
    shared = set(group["allowed_ips"])
    for peer in status["peers"]:
        own = [text for text in peer["allowed_ips"] if text not in shared]
        peer["allowed_ips"] = [*own, *(shared if peer["name"] == to else ())]
    return group


def test_another_active_hub_is_named_and_nothing_else(plan):
    document = slice_of(plan, "spoke-1")
    status = status_of(document)
    group = moved(document, status, "hub-3")
    status["groups"] = [group_of(document, group, "hub-3")]

    (finding,) = find_differences(document, status)

    assert (finding.name, finding.severity, finding.peer) == ("active_hub_mismatch", "error", "hub-3")
    assert finding.message == "the active hub is hub-3, planned is hub-1"


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_drained_hub_is_an_exception_that_is_named(plan, is_gone):
    document = slice_of(plan, "spoke-1")
    status = status_of(document)
    group = moved(document, status, "hub-2")
    status["groups"] = [group_of(document, group, "hub-2", hub_1="gone" if is_gone else "draining")]
    if is_gone:
        status["groups"][0]["members"][0]["is_draining"] = True
        status["peers"][0]["last_handshake_age_s"] = 900.0

    stale = [("handshake_stale", "warning", "hub-1")] if is_gone else []
    assert named(find_differences(document, status)) == [
        *stale,
        ("hub_draining", "warning", "hub-1"),
        ("active_hub_drained", "warning", "hub-2"),
    ]


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        ("gone", ("heartbeat_missing", "error", "hub-2")),
        ("broken", ("hub_broken", "error", "hub-2")),
        ("held", ("hub_held", "warning", "hub-2")),
    ],
)
def test_a_hub_that_could_not_take_over_is_named(plan, standing, expected):
    document = slice_of(plan, "spoke-1")
    status = status_of(document)
    status["groups"] = [group_of(document, document["groups"][0], hub_2=standing)]

    assert named(find_differences(document, status)) == [expected]


def test_a_group_or_a_member_that_is_not_there_is_named(plan):
    document = slice_of(plan, "spoke-1")
    without, fewer = status_of(document), status_of(document)
    without["groups"] = []
    del fewer["groups"][0]["members"][2]

    assert named(find_differences(document, without)) == [("group_missing", "error", None)]
    (third,) = document["groups"][0]["members"][2:]
    assert named(find_differences(document, fewer)) == [("member_missing", "error", third)]


def test_a_session_to_a_hub_must_be_warm_also_without_keepalives():
    plan = make_plan(fleet(spokes=1, everywhere={"keepalive": 0}), Lock())
    document = slice_of(plan, "spoke-1")
    status = status_of(document)
    status["peers"][1]["last_handshake_age_s"] = None
    status["peers"][2]["last_handshake_age_s"] = 181.0

    assert named(find_differences(document, status)) == [
        ("handshake_missing", "error", "hub-2"),
        ("handshake_stale", "error", "hub-3"),
    ]


def test_a_prefix_that_nobody_of_its_group_carries_is_missing(plan):
    document = slice_of(plan, "spoke-1")
    status = status_of(document)
    status["peers"][0]["allowed_ips"] = ["10.86.0.1/32", "fd86::1/128", "10.86.0.0/24"]

    (finding,) = find_differences(document, status)

    assert (finding.name, finding.peer) == ("allowed_ips_mismatch", "hub-1")
    assert finding.message == "AllowedIPs differ: missing fd86::/64"


def test_on_a_hub_a_spoke_may_be_behind_another_hub_and_nobody_else(plan):
    document = slice_of(plan, "hub-1")
    status = status_of(document)
    peers = {peer["name"]: peer for peer in status["peers"]}
    own = peers["spoke-1"]["allowed_ips"]
    peers["spoke-1"]["allowed_ips"] = []
    peers["hub-3"]["allowed_ips"] = [*peers["hub-3"]["allowed_ips"], *own]

    assert find_differences(document, status) == []

    peers["spoke-2"]["allowed_ips"] = [*peers["spoke-2"]["allowed_ips"], own[0]]
    assert named(find_differences(document, status)) == [("allowed_ips_mismatch", "error", "spoke-2")]


def test_a_plain_spoke_never_moves_to_another_hub():
    plan = make_plan(fleet(spokes=1, hosts={"spoke-1": {"agent": False}}), Lock())
    document = slice_of(plan, "hub-1")
    status = status_of(document)
    peers = {peer["name"]: peer for peer in status["peers"]}
    peers["hub-2"]["allowed_ips"] = [*peers["hub-2"]["allowed_ips"], *peers["spoke-1"]["allowed_ips"]]
    peers["spoke-1"]["allowed_ips"] = []

    assert named(find_differences(document, status)) == [
        ("allowed_ips_mismatch", "error", "hub-2"),
        ("allowed_ips_mismatch", "error", "spoke-1"),
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"has_quorum": False}, ("quorum_missing", "error", None)),
        ({"leader": None}, ("quorum_missing", "error", None)),
        ({"problem": "there is no cluster key yet"}, ("cluster_missing", "error", None)),
        ({"is_draining": True}, ("hub_draining", "warning", None)),
    ],
)
def test_the_state_of_the_cluster_is_judged_on_hubs(plan, change, expected):
    document = slice_of(plan, "hub-2")
    status = status_of(document)
    status["cluster"].update(change)

    assert named(find_differences(document, status)) == [expected]


def test_without_a_quorum_the_hubs_that_are_away_are_named(plan):
    document = slice_of(plan, "hub-2")
    status = status_of(document)
    status["cluster"].update(has_quorum=False)
    for member in status["cluster"]["members"]:
        member["is_connected"] = member["name"] == "hub-2"

    (finding,) = find_differences(document, status)

    assert finding.message == "the hubs have no quorum: hub-1, hub-3 cannot be reached"


def test_a_hub_outside_of_the_cluster_is_named(plan):
    document = slice_of(plan, "hub-2")
    status = status_of(document)
    status["cluster"] = None

    assert named(find_differences(document, status)) == [("cluster_missing", "error", None)]


def test_what_the_hubs_wish_counts_more_than_the_plan_and_is_named(plan):
    document = slice_of(plan, "spoke-1")
    overrides = {public_key("spoke-1"): public_key("hub-3"), public_key("spoke-2"): public_key("hub-1")}
    there, still_here = status_of(document), status_of(document)
    there["groups"] = [group_of(document, moved(document, there, "hub-3"), "hub-3")]

    assert named(find_differences(document, there, overrides=overrides)) == [("hub_overridden", "warning", "hub-3")]
    assert named(find_differences(document, still_here, overrides=overrides)) == [
        ("active_hub_mismatch", "error", "hub-1")
    ]


def test_an_agent_that_tells_nothing_of_groups_and_cluster_is_not_judged_by_them(plan):
    for host in ("spoke-1", "hub-1"):
        document = slice_of(plan, host)
        status = status_of(document)
        del status["groups"], status["cluster"]

        assert find_differences(document, status) == []
