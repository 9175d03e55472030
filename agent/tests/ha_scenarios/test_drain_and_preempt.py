# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Draining, overrides, preemption; a hub that answers and does not forward; clocks and a host that slept."""

from __future__ import annotations

import pytest
from ha_scenarios.conftest import Maker
from support.ha_net import HaNet
from wirefleet_agent.drops import DropReason


def test_a_drain_loses_nothing(net: HaNet) -> None:
    first, second, _ = net.hubs
    there, back = net.flow(*net.spokes), net.flow(*reversed(net.spokes))
    net.run_for(1)
    assert first.ha.spokes_using_us == 2

    first.state.draining = True
    net.run_until(lambda: first.ha.spokes_using_us == 0, 1.5)
    net.run_for(2)
    net.end_flows()

    assert all(spoke.active == second.public_key for spoke in net.spokes)
    assert second.ha.spokes_using_us == 2
    assert there.lost == back.lost == 0
    assert max(there.most_hops, back.most_hops) <= 2
    assert net.spokes[0].ha.counters.switches == {("group", "active_draining"): 1}


@pytest.mark.parametrize("delays", [(0.05, 0.0, 0.1), (0.0, 0.1, 0.02), (0.1, 0.3, 0.0)])
def test_a_drain_loses_nothing_whatever_the_delays_of_the_hubs(make_net: Maker, delays: tuple[float, ...]) -> None:
    net = make_net().settled()
    for hub, delay_s in zip(net.hubs, delays, strict=True):
        net.delay_s[hub.host] = delay_s
    net.run_for(5)
    there, back = net.flow(*net.spokes), net.flow(*reversed(net.spokes))
    net.run_for(1)

    net.hubs[0].state.draining = True
    net.run_for(4)
    net.end_flows()
    net.run_for(2)

    assert net.hubs[0].ha.spokes_using_us == 0
    assert there.lost == back.lost == 0
    assert max(there.most_hops, back.most_hops) <= 2


def test_a_drain_to_a_hub_that_the_spoke_alone_reaches_slowly_makes_no_circle(net: HaNet) -> None:
    """The old hub must not know of the switch before the new one does, however long that takes."""
    first, second, _ = net.hubs
    spoke, other = net.spokes
    net.underlay.pair_delay_s[frozenset({spoke.host, second.host})] = 0.6
    net.run_for(10)
    flow = net.flow(other, spoke)
    net.run_for(1)

    first.state.draining = True
    net.run_for(6)
    net.end_flows()
    net.run_for(3)

    assert spoke.active == second.public_key
    assert flow.most_hops <= 2
    assert flow.lost == 0


def test_the_last_hub_is_not_left_for_nothing(net: HaNet) -> None:
    for hub in net.hubs[1:]:
        net.kill(hub)
    net.run_for(3)

    net.hubs[0].state.draining = True
    net.run_for(5)

    assert net.spokes[0].active == net.hubs[0].public_key


def test_a_drained_hub_that_is_resumed_gets_nothing_back_by_itself(net: HaNet) -> None:
    net.hubs[0].state.draining = True
    net.run_for(3)
    net.hubs[0].state.draining = False
    net.run_for(30)

    assert net.spokes[0].active == net.hubs[1].public_key
    assert net.spokes[0].ha.group_reports()[0].members[0].standing == "good"


def test_an_override_moves_one_spoke_without_loss(net: HaNet) -> None:
    near, far = net.spokes
    flow, back = net.flow(near, far), net.flow(far, near)
    for hub in net.hubs:
        hub.state.epoch = 7
        hub.state.overrides[near.public_key] = net.hubs[2].public_key
    net.run_for(4)
    net.end_flows()

    assert near.active == net.hubs[2].public_key
    assert far.active == net.hubs[0].public_key
    assert near.ha.counters.switches == {("group", "override"): 1}
    assert flow.lost == back.lost == 0


def test_the_override_of_the_newest_epoch_counts(net: HaNet) -> None:
    spoke = net.spokes[0]
    net.hubs[0].state.epoch, net.hubs[0].state.overrides[spoke.public_key] = 3, net.hubs[0].public_key
    net.hubs[1].state.epoch, net.hubs[1].state.overrides[spoke.public_key] = 4, net.hubs[2].public_key
    net.run_for(3)

    assert spoke.active == net.hubs[2].public_key


def test_preemption_waits_for_the_hold(make_net: Maker) -> None:
    net = make_net(policy="priority_preempt", hold_s=20.0).settled()
    first, spoke = net.hubs[0], net.spokes[0]
    net.kill(first)
    net.run_for(5)
    assert spoke.active == net.hubs[1].public_key
    net.restart(first)
    net.run_until(lambda: spoke.ha.group_reports()[0].members[0].state == "alive", 20)
    flow = net.flow(*net.spokes)

    took_s = net.run_until(lambda: spoke.active == first.public_key, 30)
    net.run_for(2)
    net.end_flows()

    assert took_s == pytest.approx(20, abs=0.6)
    assert spoke.ha.counters.switches["group", "preempted"] == 1
    assert flow.lost == 0


def test_preemption_starts_the_hold_anew_after_each_break(make_net: Maker) -> None:
    net = make_net(policy="priority_preempt", hold_s=10.0).settled()
    hub, spoke = net.hubs[0], net.spokes[0]
    net.cut(hub, spoke)
    net.run_for(3)
    net.mend(hub, spoke)
    net.run_for(8)
    net.cut(hub, spoke)
    net.run_for(3)
    net.mend(hub, spoke)
    net.run_for(9)
    assert spoke.active == net.hubs[1].public_key

    net.run_for(4)
    assert spoke.active == hub.public_key


def test_a_hub_that_answers_and_does_not_forward_is_found_by_the_probe(net: HaNet) -> None:
    hub, spoke = net.hubs[0], net.spokes[0]
    flow = net.flow(*net.spokes)
    net.run_for(1)

    hub.tun.is_forwarding = False
    net.run_for(6)

    assert all(each.active == net.hubs[1].public_key for each in net.spokes)
    assert spoke.ha.counters.switches == {("group", "active_broken"): 1}
    assert spoke.ha.group_reports()[0].members[0].standing == "broken"
    assert spoke.ha.group_reports()[0].members[0].state == "alive"
    assert flow.longest_gap_s <= 4.2


def test_a_hub_that_forwards_again_is_a_good_standby_again_after_its_hold(net: HaNet) -> None:
    hub, spoke = net.hubs[0], net.spokes[0]
    hub.tun.is_forwarding = False
    net.run_for(6)
    hub.tun.is_forwarding = True
    net.run_until(lambda: spoke.ha.group_reports()[0].members[0].standing == "held", 3)
    net.run_for(3)

    assert spoke.ha.group_reports()[0].members[0].standing == "good"
    assert spoke.active == net.hubs[1].public_key


def test_probes_are_answered_all_the_time_and_say_nothing_about_the_spoke(net: HaNet) -> None:
    spoke, third = net.spokes[0], net.hubs[2]
    net.run_for(20)
    assert spoke.ha.counters.probes_sent == pytest.approx(20, abs=4)
    assert spoke.ha.counters.probes_answered >= spoke.ha.counters.probes_sent - 1

    net.cut(spoke, third, one_way=True)
    net.run_for(4)

    report = next(each for each in third.ha.spoke_reports() if each.key == spoke.public_key)
    assert not report.is_heard


def test_a_cut_between_two_hubs_breaks_neither(net: HaNet) -> None:
    net.cut(net.hubs[0], net.hubs[1])
    net.run_for(30)

    assert net.spokes[0].active == net.hubs[0].public_key
    assert not any(member.is_broken for member in net.spokes[0].ha.group_reports()[0].members)


def test_a_step_of_the_wall_clock_changes_nothing(net: HaNet) -> None:
    flow = net.flow(*net.spokes)
    for step_s in (3600.0, -86_400.0, 1e9):
        net.wall_offset_s += step_s
        net.run_for(10)
    net.end_flows()

    assert flow.lost == 0
    assert net.spokes[0].ha.counters.switches == {}
    assert net.spokes[0].ha.counters.members_down == 0


def test_a_process_that_stood_still_blames_nobody(net: HaNet) -> None:
    net.clock.now += 20.0
    net.run_for(5)

    assert all(host.ha.counters.members_down == 0 for host in net.hosts)
    assert all(spoke.active == net.hubs[0].public_key for spoke in net.spokes)
    assert net.spokes[0].device.drops[DropReason.NO_ROUTE_TO_PEER] == 0


def test_a_host_that_resumes_asks_and_calls_everybody_at_once(net: HaNet) -> None:
    spoke = net.spokes[0]
    asked = spoke.ha.counters.requests_sent
    net.run_for(0.1)

    spoke.ha.host_resumed()
    net.turn()

    assert spoke.ha.counters.requests_sent >= asked + 3
    assert {key for _, key in spoke.reconnects} == {hub.public_key for hub in net.hubs}
    assert all(member.state == "alive" for member in spoke.ha.group_reports()[0].members)


def test_a_link_that_is_down_for_a_while_blames_nobody(net: HaNet) -> None:
    spoke = net.spokes[0]
    spoke.tun.set_link(is_up=False)
    net.run_for(10)
    assert spoke.ha.counters.members_down == 0

    spoke.tun.set_link(is_up=True)
    net.run_for(7)

    assert all(member.state == "alive" for member in spoke.ha.group_reports()[0].members)
