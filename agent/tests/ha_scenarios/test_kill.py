# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Hubs die and come back."""

from __future__ import annotations

import itertools

import pytest
from ha_scenarios.conftest import Maker
from support.ha_net import HaNet
from wirefleet_agent.drops import DropReason


def test_spokes_switch_within_a_second_and_a_half(net: HaNet) -> None:
    first, second, _ = net.hubs
    there, back = net.flow(*net.spokes), net.flow(*reversed(net.spokes))

    net.kill(first)
    took_s = net.run_until(lambda: all(spoke.active == second.public_key for spoke in net.spokes), 3)
    net.run_for(3)

    assert took_s <= 1.54
    assert there.longest_gap_s <= 1.6
    assert back.longest_gap_s <= 1.6
    assert net.spokes[0].ha.counters.switches["group", "active_down"] == 1
    assert net.hubs[2].via(net.spokes[0]) == second.public_key


@pytest.mark.parametrize("seed", range(6))
def test_whatever_the_phase_the_outage_is_shorter_than_the_patience(make_net: Maker, seed: int) -> None:
    net = make_net(seed=seed, spokes=2).settled()
    net.run_for(0.08 * seed)
    flow = net.flow(*net.spokes)
    net.run_for(0.2)

    net.kill(net.hubs[0])
    net.run_for(3)

    assert 0.9 <= flow.longest_gap_s <= 1.6


def test_a_fast_fleet_switches_within_half_a_second(make_net: Maker) -> None:
    net = make_net(interval_s=0.1).settled()
    flow = net.flow(*net.spokes)
    net.run_for(0.2)

    net.kill(net.hubs[0])
    net.run_for(2)

    assert flow.longest_gap_s <= 0.42


def test_no_session_is_made_by_a_switch(net: HaNet) -> None:
    spoke = net.spokes[0]
    handshakes = {key: peer.last_handshake for key, peer in spoke.device.peers.items()}

    net.kill(net.hubs[0])
    net.run_for(3)

    assert {key: peer.last_handshake for key, peer in spoke.device.peers.items()} == handshakes


def test_two_dead_hubs_leave_the_third(net: HaNet) -> None:
    flow = net.flow(*net.spokes)
    net.kill(net.hubs[0])
    net.kill(net.hubs[1])

    net.run_for(4)

    assert net.spokes[0].active == net.hubs[2].public_key
    assert flow.longest_gap_s <= 1.6


def test_all_hubs_down_and_back(net: HaNet) -> None:
    for hub in net.hubs:
        net.kill(hub)
    net.run_for(20)
    spoke = net.spokes[0]
    active = spoke.active
    assert [member.state for member in spoke.ha.group_reports()[0].members] == ["down"] * 3

    for hub in reversed(net.hubs):
        net.restart(hub)
    flow = net.flow(*net.spokes)
    net.run_until(lambda: len(flow.arrived) > 0, 12)
    net.run_for(1)
    net.end_flows()

    assert active in {hub.public_key for hub in net.hubs}
    assert [member.state for member in spoke.ha.group_reports()[0].members] == ["alive"] * 3
    assert net.spokes[1].ha.group_reports()[0].switches <= 4


def test_a_hub_that_came_back_does_not_take_the_traffic_back(net: HaNet) -> None:
    first, second, _ = net.hubs
    net.kill(first)
    net.run_for(3)
    net.restart(first)
    net.run_for(60)

    assert all(spoke.active == second.public_key for spoke in net.spokes)
    assert net.spokes[0].ha.group_reports()[0].members[0].standing == "good"


def test_a_hub_that_forgot_everything_learns_it_from_heartbeats_and_claims(net: HaNet) -> None:
    """It restarts so fast that no spoke leaves it for good, or as a standby that spokes do not use."""
    _, second, third = net.hubs
    spoke, other = net.spokes
    net.restart(third)
    net.run_until(lambda: third.via(spoke) == net.hubs[0].public_key, 8)

    flow = net.flow(spoke, other)
    net.kill(net.hubs[0])
    net.run_for(2)
    net.restart(net.hubs[0])
    net.run_for(10)

    assert net.hubs[0].via(spoke) == second.public_key
    assert net.hubs[0].via(other) == second.public_key
    assert flow.longest_gap_s <= 1.6


def test_a_restarted_hub_is_told_at_once_who_uses_the_others(net: HaNet) -> None:
    first, _, third = net.hubs
    for spoke in net.spokes:
        net.cut(spoke, third)
    net.run_for(3)

    net.restart(third)
    net.run_until(lambda: all(third.via(spoke) == first.public_key for spoke in net.spokes), 3)

    assert third.ha.counters.claims_received >= 2


def test_a_spoke_that_restarts_with_a_wrong_clock_is_heard(net: HaNet) -> None:
    """Its switch count is behind what it said before: its word counts, wherever it is heard."""
    spoke = net.spokes[0]
    net.kill(net.hubs[0])
    net.run_for(3)
    net.restart(net.hubs[0])
    net.run_for(8)

    net.kill(spoke)
    net.wall_offset_s = 60.0  # a clock further back would be refused by WireGuard itself: replayed initiations
    net.start(spoke)
    net.run_for(8)

    assert spoke.active == net.hubs[0].public_key
    assert net.hubs[0].via(spoke) is None
    assert net.hubs[1].via(spoke) == net.hubs[0].public_key


def test_calls_to_a_dead_hub_become_rarer_and_stop_when_it_is_back(net: HaNet) -> None:
    dead, spoke = net.hubs[2], net.spokes[0]
    net.kill(dead)
    start = net.clock.now
    net.run_for(300)

    times = [when - start for when, key in spoke.reconnects if key == dead.public_key]
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert times[0] <= 1.6
    assert all(0.5 * 2**number - 0.05 <= gap <= 2**number + 0.6 for number, gap in enumerate(gaps[:6]))
    assert max(gaps) <= 60.6
    assert 7 <= len(times) <= 18

    net.restart(dead)
    net.run_until(lambda: spoke.ha.group_reports()[0].members[2].state == "alive", 65)
    before = len(spoke.reconnects)
    net.run_for(100)
    assert len(spoke.reconnects) == before


def test_heartbeats_do_not_heap_up_for_a_dead_hub(net: HaNet) -> None:
    spoke = net.spokes[0]
    net.kill(net.hubs[2])
    net.run_for(400)

    assert spoke.device.peers[net.hubs[2].public_key].staged_packets <= 3
    assert spoke.device.drops[DropReason.STAGED_OVERFLOW] == 0
