# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A LAN behind two spokes: gateways die, come back, are heard by some hubs only, or hear some hubs only."""

from __future__ import annotations

import pytest
from ha_scenarios.conftest import Maker
from support.ha_net import SITE
from support.packets import ip_packet, payload_of
from support.site_net import SiteNet
from wirefleet_agent.drops import DropReason


@pytest.fixture
def net(make_net: Maker) -> SiteNet:
    made = make_net(kind=SiteNet, spokes=3, gateways=2).settled()
    assert isinstance(made, SiteNet)
    return made


def test_the_lan_is_reached_over_its_first_gateway_and_answers_over_any(net: SiteNet) -> None:
    there, back = net.to_site(), net.flow(net.site, net.far)
    net.run_for(1)
    net.site.router = net.two
    net.run_for(1)
    net.end_flows()

    assert there.lost == back.lost == 0
    assert [hub.gateway for hub in net.hubs] == [net.one.public_key] * 3
    assert there.most_hops == 1


def test_a_dead_gateway_is_replaced_within_the_patience_and_an_interval(net: SiteNet) -> None:
    there, back = net.to_site(), net.flow(net.site, net.far)
    net.site.router = net.two
    net.run_for(1)

    net.kill(net.one)
    net.run_for(4)
    net.end_flows()

    assert 0.9 <= there.longest_gap_s <= 2.1
    assert back.lost == 0
    for hub in net.hubs:
        assert hub.gateway == hub.site_way == net.two.public_key
        assert net.reasons(hub) == {"took_over": 1}
        (report,) = hub.ha.site_reports()
        assert (report.name, report.gateway, report.via, report.reason) == (SITE, net.two.public_key, None, "in_use")
        assert [(each.is_heard, each.hears_us, each.is_well) for each in report.gateways] == [
            (False, False, False),
            (True, True, True),
        ]


@pytest.mark.parametrize("seed", range(4))
def test_with_fast_heartbeats_the_outage_is_below_half_a_second(make_net: Maker, seed: int) -> None:
    net = make_net(kind=SiteNet, spokes=3, gateways=2, interval_s=0.1, seed=seed).settled()
    assert isinstance(net, SiteNet)
    there = net.to_site()
    net.run_for(0.2 + 0.03 * seed)

    net.kill(net.one)
    net.run_for(2)

    assert there.longest_gap_s <= 0.5


def test_a_gateway_that_came_back_does_not_take_the_traffic_back(net: SiteNet) -> None:
    net.kill(net.one)
    net.run_for(4)
    net.restart(net.one)
    net.run_for(15)
    there = net.to_site()
    net.run_for(30)
    net.end_flows()

    assert there.lost == 0
    assert [hub.gateway for hub in net.hubs] == [net.two.public_key] * 3
    assert all(net.reasons(hub) == {"took_over": 1} for hub in net.hubs)


def test_when_the_second_dies_too_the_first_one_has_it_again(net: SiteNet) -> None:
    net.kill(net.one)
    net.run_for(4)
    net.restart(net.one)
    net.run_for(15)
    there = net.to_site()
    net.run_for(0.5)

    net.kill(net.two)
    net.run_for(4)

    assert there.longest_gap_s <= 2.1
    assert [hub.gateway for hub in net.hubs] == [net.one.public_key] * 3


def test_a_standby_that_dies_changes_nothing(net: SiteNet) -> None:
    there = net.to_site()
    net.kill(net.two)
    net.run_for(5)
    net.end_flows()

    assert there.lost == 0
    assert all(net.reasons(hub) == {} for hub in net.hubs)


def test_hubs_that_choose_different_gateways_all_reach_the_lan(net: SiteNet) -> None:
    first, second, third = net.hubs
    net.cut(net.one, second)
    net.run_for(4)
    assert [hub.gateway for hub in net.hubs] == [net.one.public_key, net.two.public_key, net.one.public_key]

    there = net.to_site()
    net.run_for(1)
    net.kill(first)
    net.run_for(4)
    net.end_flows()

    assert there.longest_gap_s <= 1.6
    assert there.most_hops <= 2
    assert second.site_way == net.two.public_key
    assert third.site_way == net.one.public_key


@pytest.mark.parametrize("is_towards_the_gateway", [True, False])
def test_a_gateway_is_left_for_loss_in_one_direction_too(net: SiteNet, is_towards_the_gateway: bool) -> None:
    first = net.hubs[0]
    there = net.to_site()
    net.run_for(1)

    if is_towards_the_gateway:
        net.cut(first, net.one, one_way=True)
    else:
        net.cut(net.one, first, one_way=True)
    net.run_for(5)
    net.end_flows()

    assert first.gateway == net.two.public_key
    # What is lost towards the gateway is lost; the other way round nothing is, for the LAN's packets go on arriving.
    # That an answer came is told with the next request, so this takes one interval more.
    assert there.longest_gap_s <= (2.6 if is_towards_the_gateway else 0.1)
    assert net.hubs[1].gateway == net.one.public_key


def test_a_hub_that_hears_no_gateway_sends_over_one_that_does(net: SiteNet) -> None:
    first, second, _ = net.hubs
    there = net.to_site()
    net.run_for(1)

    net.cut_off(first)
    net.run_for(8)
    net.end_flows()

    assert net.far.active == first.public_key
    assert first.site_way == second.public_key
    assert there.longest_gap_s <= 2 * 1.5 + 3 * 0.5 + 0.1
    assert there.most_hops == 2
    (report,) = first.ha.site_reports()
    assert (report.via, report.reason) == (second.public_key, "claimed")
    assert net.reasons(first)["claimed"] == 1
    assert not any(hub.tun.looped for hub in net.hubs)


def test_claims_of_gateways_are_told_in_every_interval(net: SiteNet) -> None:
    """All others within ten: a hub that has lost its gateways waits for a new claim."""
    second = net.hubs[1]
    before = second.ha.counters.claims_received

    net.run_for(10)

    assert second.ha.counters.claims_received - before >= 2 * 19


def test_its_own_packets_still_go_to_the_gateway_itself(net: SiteNet) -> None:
    """The gateway takes this hub's addresses from this hub alone."""
    first = net.hubs[0]
    net.cut_off(first)
    net.run_for(8)
    assert first.site_way != first.gateway
    before = net.hubs[1].device.drops[DropReason.WRONG_SOURCE]

    first.tun.inject(ip_packet(first.overlay, net.site.overlay, b"own"))
    net.run_for(1)
    assert net.hubs[1].device.drops[DropReason.WRONG_SOURCE] == before
    net.mend(net.one, first)
    net.mend(net.two, first)
    net.run_for(12)
    first.tun.inject(ip_packet(first.overlay, net.site.overlay, b"once more"))
    net.run_for(1)

    assert [payload_of(packet) for _, packet in net.site.inbox][-1] == b"once more"


def test_a_hub_that_hears_a_gateway_again_sends_to_it_itself(net: SiteNet) -> None:
    first = net.hubs[0]
    net.cut_off(first)
    net.run_for(8)
    assert first.site_way != first.gateway

    there = net.to_site()
    net.run_for(0.2)
    net.mend(net.two, first)
    net.run_until(lambda: first.site_way == net.two.public_key, 30)
    net.run_for(1)
    net.end_flows()

    assert there.lost == 0
    assert first.gateway == net.two.public_key


def test_gateways_that_only_the_third_hub_hears_are_found_over_it(net: SiteNet) -> None:
    first, second, third = net.hubs
    net.cut_off(first)
    net.run_for(8)
    there = net.to_site()
    net.run_for(0.5)

    net.cut_off(second)
    net.run_until(lambda: second.ha.spokes_using_us == 0, 5)
    net.run_for(0.04)
    assert first.site_way != second.public_key
    net.run_for(9)
    net.end_flows()

    assert (first.site_way, second.site_way) == (third.public_key, third.public_key)
    assert there.longest_gap_s <= 2 * 1.5 + 3 * 0.5 + 0.1
    assert not any(hub.tun.looped for hub in net.hubs)


def test_with_all_gateways_gone_packets_go_to_the_last_one_and_nowhere_else(net: SiteNet) -> None:
    net.kill(net.one)
    net.run_for(4)
    net.kill(net.two)
    there = net.to_site()
    net.run_for(30)

    assert not there.arrived
    for hub in net.hubs:
        assert hub.site_way == hub.gateway == net.two.public_key
        assert hub.ha.site_reports()[0].reason == "unknown"
        assert hub.tun.looped == 0


def test_a_lossy_network_never_sends_a_packet_in_circles(make_net: Maker) -> None:
    """Links between gateways and hubs come and go in all combinations."""
    net = make_net(kind=SiteNet, spokes=3, gateways=2, interval_s=0.1).settled()
    assert isinstance(net, SiteNet)
    there = net.to_site()
    for number in range(1, 64, 5):
        for bit, (gateway, hub) in enumerate((gateway, hub) for gateway in (net.one, net.two) for hub in net.hubs):
            if number >> bit & 1:
                net.cut(gateway, hub)
            else:
                net.mend(gateway, hub)
        net.run_for(1.7)
    for gateway in (net.one, net.two):
        for hub in net.hubs:
            net.mend(gateway, hub)
    net.run_for(15)
    before = there.lost
    net.run_for(2)
    net.end_flows()

    assert there.most_hops <= 3
    assert not any(hub.tun.looped for hub in net.hubs)
    assert there.lost <= before
