# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Links that lose, are slow, or flap; partitions."""

from __future__ import annotations

import pytest
from ha_scenarios.conftest import Maker
from support.ha_net import HaNet


@pytest.mark.parametrize("direction", ["to the hub", "from the hub"])
def test_one_way_loss_of_the_active_hub(net: HaNet, direction: str) -> None:
    hub, spoke = net.hubs[0], net.spokes[0]
    there, back = net.flow(*net.spokes), net.flow(*reversed(net.spokes))
    net.run_for(0.3)

    net.cut(*((spoke, hub) if direction == "to the hub" else (hub, spoke)), one_way=True)
    net.run_for(6)

    assert spoke.active == net.hubs[1].public_key
    assert net.spokes[1].active == hub.public_key, "the other spoke has no reason to move"
    assert hub.via(spoke) == net.hubs[1].public_key
    assert there.longest_gap_s <= 1.6
    assert back.longest_gap_s <= 1.7
    assert hub.tun.looped == net.hubs[1].tun.looped == 0


def test_a_slow_hub_keeps_its_traffic(net: HaNet) -> None:
    net.delay_s[net.hubs[0].host] = 0.4
    net.run_for(30)
    flow = net.flow(*net.spokes)
    net.run_for(10)
    net.end_flows()
    net.run_for(2)

    member = net.spokes[0].ha.group_reports()[0].members[0]
    assert net.spokes[0].active == net.hubs[0].public_key
    assert member.rtt_s == pytest.approx(0.8, abs=0.05)
    assert not member.is_broken
    assert flow.lost == 0


def test_a_hub_slower_than_the_patience_is_left(net: HaNet) -> None:
    net.delay_s[net.hubs[0].host] = 0.8
    net.run_for(10)

    assert net.spokes[0].active == net.hubs[1].public_key


def test_a_partition_between_hubs_and_spokes_on_both_sides(net: HaNet) -> None:
    """hub-1 and spoke-1 on one side, everybody else on the other: each side works for itself, then all again."""
    first, second, third = net.hubs
    near, far = net.spokes
    for other in (second, third, far):
        net.cut(first, other)
        net.cut(near, other)
    net.run_for(8)
    assert near.active == first.public_key
    assert far.active == second.public_key

    for other in (second, third, far):
        net.mend(first, other)
        net.mend(near, other)
    net.run_until(lambda: first.via(far) == second.public_key and second.via(near) == first.public_key, 10)
    flow, back = net.flow(near, far), net.flow(far, near)
    net.run_for(5)
    net.end_flows()

    assert flow.lost == back.lost == 0


def test_an_asymmetric_partition_between_two_hubs(net: HaNet) -> None:
    """hub-1 hears hub-2, hub-2 does not hear hub-1: to each other they are down, and spokes use one of them."""
    first, second, _ = net.hubs
    net.cut(first, second, one_way=True)
    net.run_for(5)
    flow, back = net.flow(*net.spokes), net.flow(*reversed(net.spokes))
    net.run_for(5)
    net.end_flows()

    assert all(spoke.active == first.public_key for spoke in net.spokes)
    assert [report.state for report in first.ha.relay_reports()] == ["down", "alive"]
    assert second.via(net.spokes[0]) is None
    assert flow.lost == back.lost == 0


def test_a_spoke_that_one_hub_does_not_hear_is_reached_by_claims(net: HaNet) -> None:
    first, _, third = net.hubs
    near, far = net.spokes
    net.cut(near, third)
    for hub in net.hubs[:2]:
        net.cut(far, hub)
    net.run_for(4)
    assert near.active == first.public_key
    assert far.active == third.public_key

    flow, back = net.flow(near, far), net.flow(far, near)
    net.run_for(10)
    net.end_flows()

    assert third.via(near) == first.public_key
    report = next(each for each in third.ha.spoke_reports() if each.key == near.public_key)
    assert (report.is_heard, report.reason) == (False, "claimed")
    assert first.via(far) == third.public_key
    assert flow.lost == back.lost == 0


def test_a_flapping_link_takes_the_traffic_with_it_once(net: HaNet) -> None:
    hub, spoke = net.hubs[0], net.spokes[0]
    for _ in range(10):
        net.cut(hub, spoke)
        net.run_for(3)
        net.mend(hub, spoke)
        net.run_for(3)

    assert spoke.ha.group_reports()[0].switches == 1
    assert spoke.active == net.hubs[1].public_key


def test_a_flapping_link_cannot_use_preemption(make_net: Maker) -> None:
    net = make_net(policy="priority_preempt", hold_s=1.0).settled()
    hub, spoke = net.hubs[0], net.spokes[0]
    for _ in range(20):
        net.cut(hub, spoke)
        net.run_for(3)
        net.mend(hub, spoke)
        net.run_for(9)
    report = spoke.ha.group_reports()[0]
    switches = report.switches

    for _ in range(10):
        net.cut(hub, spoke)
        net.run_for(3)
        net.mend(hub, spoke)
        net.run_for(9)

    assert switches <= 8
    assert spoke.ha.group_reports()[0].switches == switches
    assert report.members[0].flaps >= 8
    assert report.members[0].standing == "held"


def test_a_lossy_link_is_no_dead_link(net: HaNet) -> None:
    """A tenth of all packets each way, at random: asked four times as often when an answer is owed, it stays."""
    hub, spoke = net.hubs[0], net.spokes[0]
    inner = net.underlay.filter
    assert inner is not None
    net.underlay.filter = lambda source, destination, datagram: (
        inner(source, destination, datagram)
        and not ({source.host, destination.host} == {hub.host, spoke.host} and net._random.random() < 0.1)
    )
    net.run_for(300)

    assert spoke.ha.counters.members_down == 0
    assert spoke.active == hub.public_key
