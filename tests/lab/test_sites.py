# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks behind two spokes and behind two hubs, from the inventory to the packets when one of the two dies.

Both gateways of a network own the same address of it, on their loopback interface: whichever is in use answers.
"""

from __future__ import annotations

import contextlib
import json

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.slow]

BEHIND_SPOKES, BEHIND_HUBS = "10.200.1.0/24", "10.200.2.0/24"
AT_SPOKES, AT_HUBS = "10.200.1.1", "10.200.2.1"
GATEWAYS = {AT_SPOKES: ("spoke-1", "spoke-2"), AT_HUBS: ("hub-1", "hub-2")}
PATIENCE_S = 15.0


def sites_inventory(fleet):
    lans = {"spoke_1": ["10.101.1.0/24", "fd57:6c61:101::/64"], "spoke_2": ["10.101.2.0/24", "fd57:6c61:102::/64"]}
    spokes = {name: {"wirefleet_site_prefixes": [*own, BEHIND_SPOKES]} for name, own in lans.items()}
    hubs = {name: {"wirefleet_site_prefixes": [BEHIND_HUBS]} for name in ("hub_1", "hub_2")}
    return fleet.inventory(**spokes, **hubs)


@pytest.fixture
def with_sites(fleet, converged_afterwards):
    """The fleet with both networks; the run that brought them."""
    for address, hosts in GATEWAYS.items():
        for host in hosts:
            assert not fleet.inside(host, "ip", "address", "add", f"{address}/32", "dev", "lo").returncode
    try:
        run = fleet.play("site", inventory=sites_inventory(fleet))
        assert run.returncode == 0, run.tail
        yield run
    finally:
        for address, hosts in GATEWAYS.items():
            for host in hosts:
                fleet.inside(host, "ip", "address", "del", f"{address}/32", "dev", "lo")


def agent(fleet, host, *verb):
    program = str(fleet.root(host) / "opt" / "wirefleet" / "current" / "bin" / "wirefleet-agent")
    words = ("--root", str(fleet.root(host)), "--tunnel", f"{fleet.prefix}-{host}", "--json", *verb)
    return json.loads(fleet.inside(host, program, *words).stdout)


@contextlib.contextmanager
def stopped(fleet, host):
    """The host's agent is down during the block."""
    agent(fleet, host, "daemon", "stop")
    try:
        yield
    finally:
        agent(fleet, host, "daemon", "start", "--wait")


def answers(fleet, source, address):
    return fleet.inside(source, "ping", "-n", "-c", "1", "-W", "1", address).returncode == 0


def answer_again(fleet, address, sources):
    return fleet.wait_until(lambda: all(answers(fleet, source, address) for source in sources), PATIENCE_S)


def gateway_in_use(fleet, hub):
    status = agent(fleet, hub, "status")
    names = {peer["public_key"]: peer["name"] for peer in status["peers"]}
    return {names[group["direct"]] for group in status["groups"] if BEHIND_SPOKES in group["prefixes"]}


def test_networks_with_two_gateways_outlive_either_of_them(fleet, with_sites):
    others = {AT_SPOKES: ("spoke-3", "hub-3", "lan-1"), AT_HUBS: ("spoke-1", "spoke-3", "hub-3", "lan-1")}
    for address, sources in others.items():
        assert answer_again(fleet, address, sources)

    verified = fleet.play("verify", inventory=sites_inventory(fleet))
    assert verified.returncode == 0, verified.tail

    before = gateway_in_use(fleet, "hub-3")
    assert before == {"spoke-1"}
    with stopped(fleet, "spoke-1"):
        assert answer_again(fleet, AT_SPOKES, ("spoke-3", "hub-3"))
        assert gateway_in_use(fleet, "hub-3") == {"spoke-2"}
    with stopped(fleet, "hub-1"):
        assert answer_again(fleet, AT_HUBS, ("spoke-1", "spoke-3", "hub-3"))
        assert answer_again(fleet, AT_SPOKES, ("spoke-3", "hub-3"))

    assert answer_again(fleet, AT_SPOKES, others[AT_SPOKES])
    assert gateway_in_use(fleet, "hub-3") == {"spoke-2"}  # no way back by itself
