# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Redundancy after others have changed the device: wg setconf, peers that are removed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.ha_net import HaNet
from support.packets import ip_packet
from support.wg_setconf import set_conf


@pytest.fixture
def net() -> Iterator[HaNet]:
    made = HaNet(spokes=2).settled()
    yield made
    made.close()


def test_a_spoke_still_fails_over_after_wg_setconf(net: HaNet) -> None:
    spoke, hub = net.spokes[0], net.hubs[0]
    set_conf(net, spoke)
    net.run_for(15)
    assert spoke.active == hub.public_key

    net.kill(hub)
    net.run_for(5)

    assert spoke.active != hub.public_key


def test_a_hub_still_follows_its_spokes_after_wg_setconf(net: HaNet) -> None:
    spoke, first, second = net.spokes[0], *net.hubs[:2]
    set_conf(net, second)
    net.run_for(15)
    assert second.via(spoke) == first.public_key

    net.kill(first)
    net.run_for(10)

    assert spoke.active == second.public_key
    assert second.via(spoke) is None


def test_packets_for_a_spoke_that_every_hub_has_removed_do_not_go_in_circles(net: HaNet) -> None:
    gone, other = net.spokes
    for hub in net.hubs:
        hub.device.remove_peer(gone.public_key, net.clock.now)
    net.kill(gone)
    net.run_for(3)

    other.tun.inject(ip_packet(other.overlay, gone.overlay, bytes(12)))
    net.run_for(1)

    assert all(hub.tun.looped == 0 for hub in net.hubs)
