# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A hub whose service has a LAN behind two gateways, services themselves, with only drivers and clocks replaced."""

from __future__ import annotations

import pytest
from support.configs import SITE, SITE_CONF, SITE_TOML, SPOKES
from support.redundant_hosts import HEARTBEAT, Host, pass_s
from support.service import apply, ask
from wirefleet_agent.config import parse
from wirefleet_agent.host.redundancy import settings_of
from wirefleet_agent.host.verbs.status import _group_lines

NETWORK = "10.1.0.0/16"
STRANGER_KEY = str(SPOKES[2])
STRANGER = f"[Peer]\nPublicKey = {STRANGER_KEY}\nAllowedIPs = 10.86.0.77/32\n"


@pytest.fixture
def fleet(tmp_path):
    """A single hub and two gateways, configured and warm."""
    hub = Host(tmp_path / "hub", 1)
    gateways = [Host(tmp_path / f"gateway-{number}", number, hub) for number in (8, 9)]
    for host in (hub, *gateways):
        host.start()
    give(hub, gateways)
    for gateway in gateways:
        toml = f'schema = 1\n[host]\nlocal_networks = ["{NETWORK}"]\n' + HEARTBEAT
        # Members of a group are asked, and a group has two: the second hub never comes.
        conf = gateway.conf(hub.as_peer(f", 10.86.0.0/16, {NETWORK}"), STRANGER)
        toml += f'[[groups]]\nname = "hubs"\nmembers = ["{hub.key}", "{STRANGER_KEY}"]\n'
        apply(gateway, conf, toml=toml + f'allowed_ips = ["10.86.0.0/16", "{NETWORK}"]\n')
    pass_s(8, hub, *gateways)
    yield hub, *gateways
    for host in (hub, *gateways):
        if host.container is not None:
            host.crash()


def give(hub, gateways, first=0):
    """The configuration in which this gateway is used first."""
    members = ", ".join(f'"{gateway.key}"' for gateway in gateways)
    toml = "schema = 1\n" + HEARTBEAT + f'[[sites]]\nname = "{SITE}"\nmembers = [{members}]\n'
    peers = [
        gateway.as_peer(f", {NETWORK}" if number == first else "", is_called=False)
        for number, gateway in enumerate(gateways)
    ]
    return apply(hub, hub.conf(*peers), toml=toml + f'allowed_ips = ["{NETWORK}"]\n')


def site(hub):
    return next(group for group in ask(hub, "status")["groups"] if group["name"] == SITE)


def test_the_status_tells_which_gateway_is_used_and_which_ones_are_well(fleet):
    hub, one, two = fleet

    found = site(hub)

    assert (found["active"], found["direct"], found["prefixes"]) == (one.key, one.key, [NETWORK])
    assert (found["via"], found["reason"], found["switches"]) == (None, "in_use", 0)
    assert found["gateways"] == [
        {"public_key": key, "is_heard": True, "hears_us": True, "is_well": True} for key in (one.key, two.key)
    ]
    assert {each["public_key"] for each in ask(hub, "status")["spokes"]} == {one.key, two.key}


def test_people_read_which_way_a_site_is_reached(fleet):
    hub, one, two = fleet
    one.crash()
    pass_s(2.3, hub, two)

    way, gateways = _group_lines(ask(hub, "status"))

    assert way.startswith(f"  site {SITE}: over {two.key} for ")
    assert gateways == f"    gateways {one.key} (not well), {two.key}; {NETWORK}"


def test_a_dead_gateway_is_replaced_and_the_status_says_so(fleet):
    hub, one, two = fleet

    one.crash()
    pass_s(2.3, hub, two)

    found = site(hub)
    assert (found["active"], found["direct"], found["switches"]) == (two.key, two.key, 1)
    assert [each["is_well"] for each in found["gateways"]] == [False, True]
    assert ask(hub, "status")["heartbeats"]["switches"] == {"site_took_over": 1}


def test_the_configuration_given_again_moves_nothing_and_a_changed_one_does(fleet):
    hub, one, two = fleet
    one.crash()
    pass_s(2.3, hub, two)

    again = give(hub, (one, two))
    assert (again["changed"], again["changes"]) == (False, [])
    assert site(hub)["direct"] == two.key
    changed = give(hub, (one, two), first=1)

    assert [change["op"] for change in changed["changes"]] == ["set_group"]
    pass_s(1, hub, two)
    assert site(hub)["direct"] == two.key
    assert site(hub)["switches"] == 1


def test_a_gateway_that_the_configuration_moves_to_is_used_while_it_is_well(fleet):
    hub, one, two = fleet

    give(hub, (one, two), first=1)
    pass_s(1, hub, one, two)

    assert (site(hub)["direct"], site(hub)["reason"], site(hub)["switches"]) == (two.key, "in_use", 0)


def test_the_gateways_have_no_route_for_their_lan_into_the_tunnel(fleet):
    _, one, _ = fleet

    routes = {str(route.prefix) for route in one.live.tunnel.routes.routes()}

    assert "10.1.0.0/16" not in routes


def test_without_heartbeats_the_site_stays_with_the_gateway_of_the_configuration(fleet):
    hub, one, two = fleet
    members = f'members = ["{one.key}", "{two.key}"]\nallowed_ips = ["{NETWORK}"]\n'
    conf = hub.conf(one.as_peer(f", {NETWORK}", is_called=False), two.as_peer(is_called=False))
    apply(hub, conf, toml=f'schema = 1\n[[sites]]\nname = "{SITE}"\n{members}')
    one.crash()

    pass_s(5, hub, two)

    assert site(hub)["direct"] == one.key
    assert "reason" not in site(hub)
    assert site(hub)["gateways"] == [{"public_key": one.key}, {"public_key": two.key}]


def test_what_the_files_say_of_sites_becomes_settings():
    settings = settings_of(parse(SITE_CONF, SITE_TOML, name="wf0"))

    assert settings is not None
    assert settings.sites == {SITE}
    assert settings.groups == {}
    behind = settings_of(
        parse(
            SITE_CONF.replace("10.1.0.0/16", "10.86.0.99/32"),
            SITE_TOML.replace("10.1.0.0/16", "10.86.0.99/32"),
            name="wf0",
        )
    )
    assert behind is not None
    assert behind.addresses[SPOKES[0]] == (bytes([10, 86, 0, 11]),)
