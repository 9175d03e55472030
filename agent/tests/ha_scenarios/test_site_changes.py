# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Hubs of a LAN behind two spokes restart, sleep, are configured anew, and are changed by others."""

from __future__ import annotations

import pytest
from ha_scenarios.conftest import Maker
from support.ha_net import SITE
from support.packets import ip_packet, payload_of
from support.site_net import SiteNet
from support.wg_setconf import set_conf


@pytest.fixture
def net(make_net: Maker) -> SiteNet:
    made = make_net(kind=SiteNet, spokes=3, gateways=2).settled()
    assert isinstance(made, SiteNet)
    return made


def test_a_hub_that_slept_waits_for_new_claims(net: SiteNet) -> None:
    first, second, _ = net.hubs
    net.cut_off(first)
    net.run_for(8)
    assert first.site_way == second.public_key

    first.ha.host_resumed()
    net.run_for(0.6)
    assert first.site_way == first.gateway
    net.run_for(3)

    assert first.site_way == second.public_key


def test_claims_count_anew_when_the_gateways_of_a_site_are_others(net: SiteNet) -> None:
    """Of those that are new to it this hub may have told others while it had none of the former ones."""
    first, second, _ = net.hubs
    net.cut_off(first)
    net.run_for(8)
    assert first.site_way == second.public_key

    group = first.device.groups[SITE]
    first.device.set_group(
        SITE,
        [peer.public_key for peer in group.members],
        group.prefixes,
        active=first.site_way,
        direct=first.gateway,
        gateways=[net.two.public_key, net.one.public_key],
        now=net.clock.now,
    )
    first.ha.configure(net.settings(first))
    assert first.site_way == first.gateway
    net.run_for(1)
    assert first.site_way == first.gateway
    net.run_for(4)

    assert first.site_way == second.public_key


def test_a_hub_that_restarts_believes_in_its_configuration_until_it_knows_better(net: SiteNet) -> None:
    third = net.hubs[2]
    net.kill(net.one)
    net.run_for(4)

    net.restart(third)
    assert third.gateway == net.one.public_key
    # Sessions of hubs that lose one end take WireGuard its time.
    net.run_for(15)

    assert third.gateway == third.site_way == net.two.public_key


def test_a_hub_that_is_relayed_over_and_restarts_is_used_again(net: SiteNet) -> None:
    first, second, _ = net.hubs
    net.cut_off(first)
    net.run_for(8)
    assert first.site_way == second.public_key

    net.restart(second)
    net.run_for(25)
    there = net.to_site()
    net.run_for(2)
    net.end_flows()

    assert there.lost == 0
    assert first.site_way != first.gateway
    assert there.most_hops == 2


def test_after_wg_setconf_and_after_wg_takes_a_gateway_out_the_site_is_still_followed(net: SiteNet) -> None:
    first = net.hubs[0]
    set_conf(net, first)
    net.run_for(15)
    used = net.one if first.gateway == net.one.public_key else net.two
    other = net.two if used is net.one else net.one
    net.kill(used)
    net.run_for(5)
    assert first.gateway == first.site_way == other.public_key

    first.device.remove_peer(used.public_key, net.clock.now)
    net.run_for(5)
    first.tun.inject(ip_packet(net.far.overlay, net.site.overlay, b"over the one that is left"))
    net.run_for(1)

    assert [payload_of(packet) for _, packet in net.site.inbox] == [b"over the one that is left"]
    assert [each.key for each in first.ha.site_reports()[0].gateways] == [other.public_key]
    first.device.remove_peer(other.public_key, net.clock.now)
    net.run_for(2)
    assert first.ha.site_reports() == []


def test_a_site_is_no_spoke(net: SiteNet) -> None:
    first = net.hubs[0]
    assert {report.key for report in first.ha.spoke_reports()} == {spoke.public_key for spoke in net.spokes}
    assert first.via(net.one) is None

    net.cut_off(first)
    net.run_for(8)

    assert first.via(net.one) is not None
    assert {report.reason for report in first.ha.spoke_reports()} == {"uses_us", "claimed"}
