# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Groups beside the protocol's own rules: whoever is active, a hub's own addresses are that hub's alone."""

from __future__ import annotations

import ipaddress

import pytest
from support.net import Network
from support.packets import ip_packet
from support.stars import Star
from wirefleet_agent.drops import DropReason


@pytest.fixture
def star(net: Network) -> Star:
    return Star(net)


# checklist 30
@pytest.mark.parametrize("family", ["v4", "v6"])
@pytest.mark.parametrize("active", [0, 1, 2])
def test_no_other_hub_speaks_for_a_hub(net: Network, star: Star, family: str, active: int) -> None:
    first, second, _ = star.hubs
    star.switch(star.hubs[active])
    own = first.inner6 if family == "v6" else first.inner
    to = star.spoke.inner6 if family == "v6" else star.spoke.inner

    second.device.send_packet(ip_packet(own, to, b"forged"), net.now)
    first.device.send_packet(ip_packet(own, to, b"true"), net.now)
    net.drain()
    net.settle()

    assert star.spoke.payloads == [b"true"]
    assert star.spoke.drops == {DropReason.WRONG_SOURCE: 1}


# checklist 38
@pytest.mark.parametrize("family", ["v4", "v6"])
def test_nothing_for_a_hub_goes_over_another_one(net: Network, star: Star, family: str) -> None:
    for active in star.hubs:
        star.switch(active)
        for hub in star.hubs:
            star.send(active.name.encode(), to=hub.inner6 if family == "v6" else hub.inner)
    net.settle()

    for hub in star.hubs:
        assert hub.payloads == [b"hub-1", b"hub-2", b"hub-3"]
        assert {packet[16:20] if family == "v4" else packet[24:40] for _, packet, _ in hub.delivered} == {
            ipaddress.ip_address(hub.inner6 if family == "v6" else hub.inner).packed
        }


# checklist 33
def test_a_standby_member_that_roams_is_followed_without_becoming_active(net: Network, star: Star) -> None:
    standby = star.hubs[1]
    standby.move_to("198.51.100.77", 4444)

    standby.device.send_packet(ip_packet("10.86.9.9", star.spoke.inner, b"from standby"), net.now)
    net.drain()
    net.settle()

    assert star.spoke.payloads == [b"from standby"]
    assert star.spoke.peer(standby).endpoint == standby.endpoint
    assert star.group.active is star.spoke.peer(star.hubs[0])


# checklist 23, 39
def test_a_group_survives_that_the_interface_goes_down_and_up(net: Network, star: Star) -> None:
    star.switch(star.hubs[2])

    star.spoke.device.down(net.now)
    star.spoke.device.up(net.now)
    star.send(b"on")
    net.run_for(0.1)

    assert star.hubs[2].payloads == [b"on"]
