# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A LAN behind two hubs: the third one chooses between them from its heartbeats, beside being their relay."""

from __future__ import annotations

import pytest
from ha_scenarios.conftest import Maker
from support.ha_net import HUB_SITE, Flow, HaNet


@pytest.fixture
def net(make_net: Maker) -> HaNet:
    made = make_net(spokes=2, has_hub_lan=True).settled()
    # The spokes use the third hub, which is no gateway.
    for hub in made.hubs:
        hub.state.overrides = {spoke.public_key: made.hubs[2].public_key for spoke in made.spokes}
    made.run_until(lambda: all(spoke.active == made.hubs[2].public_key for spoke in made.spokes), 10)
    return made


def to_lan(net: HaNet) -> Flow:
    assert net.hub_lan is not None
    return net.flow(net.spokes[0], net.hub_lan)


def test_the_lan_is_reached_over_the_first_hub_and_answers_over_any(net: HaNet) -> None:
    assert net.hub_lan is not None
    there, back = to_lan(net), net.flow(net.hub_lan, net.spokes[0])
    net.run_for(1)
    net.hub_lan.router = net.hubs[1]
    net.run_for(1)
    net.end_flows()

    assert there.lost == back.lost == 0
    assert net.hubs[2].device.groups[HUB_SITE].active.public_key == net.hubs[0].public_key


def test_the_third_hub_moves_to_the_other_one_within_the_patience(net: HaNet) -> None:
    first, second, third = net.hubs
    there = to_lan(net)
    net.run_for(1)

    net.kill(first)
    net.run_for(4)

    assert there.longest_gap_s <= 1.6
    (report,) = third.ha.group_reports()
    assert (report.name, report.active, report.switches) == (HUB_SITE, second.public_key, 1)
    assert third.ha.counters.switches["group", "active_down"] == 1
    net.restart(first)
    net.run_for(40)
    assert third.device.groups[HUB_SITE].active.public_key == second.public_key


def test_a_drained_hub_is_left_by_the_lans_packets_as_well_and_none_is_lost(net: HaNet) -> None:
    first, second, third = net.hubs
    there = to_lan(net)
    net.run_for(1)

    first.state.draining = True
    net.run_for(3)
    net.end_flows()

    assert there.lost == 0
    assert third.device.groups[HUB_SITE].active.public_key == second.public_key


def test_with_priority_preempt_the_first_hub_gets_the_lan_back(make_net: Maker) -> None:
    net = make_net(spokes=1, has_hub_lan=True, policy="priority_preempt", hold_s=5.0).settled()
    first, second, third = net.hubs
    net.kill(first)
    net.run_for(4)
    assert third.device.groups[HUB_SITE].active.public_key == second.public_key

    net.restart(first)
    net.run_for(30)

    assert third.device.groups[HUB_SITE].active.public_key == first.public_key


def test_hubs_do_not_probe_each_other_and_call_nobody_broken(net: HaNet) -> None:
    """None takes another hub's address from a third one, so probes would be in vain for ever."""
    net.run_for(20)

    for hub in net.hubs:
        assert hub.ha.counters.probes_sent == 0
        assert [report.standing for report in hub.ha.relay_reports()] == ["good", "good"]


def test_what_the_third_hub_says_of_its_lan_makes_no_spoke_of_it(net: HaNet) -> None:
    first, second, third = net.hubs
    net.kill(first)
    net.run_for(5)

    assert {report.key for report in second.ha.spoke_reports()} == {spoke.public_key for spoke in net.spokes}
    assert second.ha.spokes_using_us == 0
    assert third.ha.spokes_using_us == 2
