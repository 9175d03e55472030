# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an inventory may say about heartbeats, failover and hosts without an agent."""

from __future__ import annotations

import pytest
from ansible_collections.wirefleet.wireguard.plugins.module_utils.planner import Lock, make_plan
from ansible_collections.wirefleet.wireguard.plugins.module_utils.problems import PlanError
from ansible_collections.wirefleet.wireguard.tests.unit.plugins.fleets import fleet, plan_again, slice_of


def refusal(**arguments):
    with pytest.raises(PlanError) as caught:
        make_plan(fleet(**arguments), Lock())
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "interval_ms", "misses"),
    [
        (None, 500, 3),
        ("normal", 500, 3),
        ("fast", 100, 3),
        ({"interval_ms": 50, "misses": 2}, 50, 2),
        ({"interval_ms": " 10000 ", "misses": 20}, 10000, 20),
        ({"interval_ms": 250}, 250, 3),
        ({}, 500, 3),
    ],
)
def test_a_heartbeat_is_a_word_or_two_numbers(value, interval_ms, misses):
    plan = make_plan(fleet(everywhere={"heartbeat": value}), Lock())

    expected = {"port": 51821, "interval_ms": interval_ms, "misses": misses}
    assert slice_of(plan, "hub-1")["heartbeat"] == slice_of(plan, "spoke-1")["heartbeat"] == expected


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("quick", "'quick' is no heartbeat"),
        (500, "500 is no heartbeat"),
        (["fast"], "['fast'] is no heartbeat"),
        ({"interval_ms": 49}, "interval_ms 49 is not a number from 50 to 10000"),
        ({"interval_ms": 10001}, "interval_ms 10001 is not"),
        ({"interval_ms": True}, "interval_ms True is not"),
        ({"interval_ms": "soon"}, "interval_ms 'soon' is not"),
        ({"misses": 1}, "misses 1 is not a number from 2 to 20"),
        ({"misses": 2.5}, "misses 2.5 is not"),
        ({"interval": 100, "missed": 3}, "a heartbeat has no interval, missed"),
    ],
)
def test_another_heartbeat_is_refused_with_what_there_is(value, complaint):
    message = refusal(everywhere={"heartbeat": value})

    assert f"wirefleet_heartbeat: {complaint}" in message
    assert "normal (500 ms, 3 misses), fast (100 ms, 3 misses), or {interval_ms: 50-10000, misses: 2-20}" in message


def test_hosts_must_agree_about_heartbeats():
    for name, value in (("heartbeat", "fast"), ("heartbeat_port", 7000), ("cluster_port", 7001)):
        message = refusal(everywhere={name: None}, hosts={"spoke-1": {name: value}, "spoke-2": {name: "normal"}})

        assert f"wirefleet_{name}: hosts disagree about a variable of the whole fleet" in message


def test_heartbeats_need_another_port_than_the_tunnel():
    message = refusal(hosts={"spoke-2": {"port": 51821}})

    assert "port 51821 is the tunnel's and the heartbeats' at once [spoke-2]" in message
    assert "port 7000 is the tunnel's" in refusal(everywhere={"port": 7000, "heartbeat_port": "7000"})


@pytest.mark.parametrize("port", [0, 65536, "x", True])
def test_a_heartbeat_port_is_a_port(port):
    assert "wirefleet_heartbeat_port: " in refusal(everywhere={"heartbeat_port": port})


def test_each_spoke_may_have_a_policy_of_its_own():
    hosts = {"spoke-1": {"failover_policy": "priority_preempt", "failover_hold": 90}}

    plan = make_plan(fleet(spokes=2, hosts=hosts), Lock())

    said = [
        (group["policy"], group["hold_s"])
        for host in ("spoke-1", "spoke-2")
        for group in slice_of(plan, host)["groups"]
    ]
    assert said == [("priority_preempt", 90), ("active_standby", 30)]


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"failover_policy": "round_robin"}, "'round_robin' is not active_standby or priority_preempt"),
        ({"failover_policy": True}, "True is not active_standby or priority_preempt"),
        ({"failover_hold": -1}, "-1 is not a number from 0 to 3600"),
        ({"failover_hold": 3601}, "3601 is not a number"),
        ({"agent": "perhaps"}, "'perhaps' is neither true nor false"),
    ],
)
def test_another_policy_is_refused(values, complaint):
    (name,) = values

    assert f"wirefleet_{name}: {complaint}" in refusal(hosts={"spoke-1": values})


def test_a_hub_needs_an_agent():
    message = refusal(hosts={"hub-2": {"agent": False}})

    assert "wirefleet_agent: a hub needs an agent [hub-2] -- only spokes may be plain WireGuard peers" in message


def test_a_host_that_nobody_can_ask_needs_its_key_in_the_inventory():
    message = refusal(spokes=2, hosts={"spoke-2": {"agent": "no"}}, without_keys=["spoke-1", "spoke-2"])

    assert "wirefleet_public_key: a host without an agent needs its public key in the inventory [spoke-2]" in message


def test_a_plain_spoke_keeps_the_key_of_the_lock():
    plain = {"spoke-1": {"agent": False}}
    first = make_plan(fleet(spokes=1, hosts=plain), Lock())

    again = plan_again(first, fleet(spokes=1, hosts=plain, without_keys=["spoke-1"]))

    assert again.slice_texts == first.slice_texts
