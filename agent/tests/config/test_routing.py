# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Which routes a configuration needs, and where."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from support.configs import interface, peer, prefixes, tunnel, tunnel_configs
from wirefleet_agent.config import (
    PeerConfig,
    Prefix,
    Route,
    TunnelConfig,
    default_route_rules,
    effective_fwmark,
    needed_routes,
    planned_routes,
)


def needed(*texts: str, **settings: object) -> set[str]:
    on = interface("10.86.0.1/24", "fd86::1/64", **settings)
    return {str(prefix) for prefix in needed_routes(on, [peer("a", *texts)])}


def test_a_site_prefix_needs_a_route() -> None:
    assert needed("192.168.7.0/24", "fd07::/64") == {"192.168.7.0/24", "fd07::/64"}


def test_the_interfaces_own_networks_need_none() -> None:
    assert needed("10.86.0.2/32", "10.86.0.0/24", "fd86::2/128") == set()


def test_a_wider_prefix_than_the_interfaces_own_needs_one() -> None:
    assert needed("10.86.0.0/16") == {"10.86.0.0/16"}


def test_a_prefix_inside_a_wider_one_needs_none_whoever_owns_it() -> None:
    peers = [peer("a", "10.0.0.0/8"), peer("b", "10.1.0.0/16", "11.0.0.0/16")]

    assert needed_routes(interface(), peers) == set(prefixes("10.0.0.0/8", "11.0.0.0/16"))


def test_siblings_and_equal_numbers_of_the_other_family_are_no_cover() -> None:
    assert needed("0.0.0.0/1", "::/1", "128.0.0.0/2", "192.0.0.0/2") == {
        "0.0.0.0/1", "::/1", "128.0.0.0/2", "192.0.0.0/2",
    }  # fmt: skip


def test_a_default_route_covers_nothing_because_it_has_its_own_table() -> None:
    assert needed("0.0.0.0/0", "192.168.7.0/24", "::/0") == {"0.0.0.0/0", "192.168.7.0/24", "::/0"}


def test_in_a_named_table_the_default_route_covers_its_family_and_the_interface_nothing() -> None:
    assert needed("0.0.0.0/0", "192.168.7.0/24", "fd86::2/128", table=100) == {"0.0.0.0/0", "fd86::2/128"}


def test_table_off_needs_no_route() -> None:
    assert needed("0.0.0.0/0", "192.168.7.0/24", table="off") == set()
    assert planned_routes(tunnel(peer("a", "0.0.0.0/0"), on=interface(table="off"))) == set()


@given(tunnel_configs())
@settings(deadline=None)
def test_every_allowed_ip_is_covered_by_a_route_or_the_interface(config: TunnelConfig) -> None:
    local = set(config.options.local_networks)
    routes = needed_routes(config.interface, config.peers, local)
    own = {address.network for address in config.interface.addresses}

    def is_covered(prefix: Prefix) -> bool:
        return any(other.version == prefix.version and prefix.subnet_of(other) for other in routes | own)  # type: ignore[arg-type]

    if config.interface.table == "off":
        assert routes == set()
    else:
        assert all(is_covered(prefix) for each in config.peers for prefix in each.allowed_ips if prefix not in local)
    assert routes <= {prefix for each in config.peers for prefix in each.allowed_ips} - local


def test_the_hosts_own_lan_gets_no_route_and_covers_nothing() -> None:
    lan, inside, around = prefixes("10.1.0.0/16", "10.1.7.0/24", "10.0.0.0/8")
    peers = [peer("a", "10.1.0.0/16"), peer("b", "10.1.7.0/24", "fd86:1::/64")]

    assert needed_routes(interface(), peers, [lan]) == {inside, *prefixes("fd86:1::/64")}
    assert needed_routes(interface(), [peer("a", "10.1.0.0/16", "10.0.0.0/8")], [lan]) == {around}
    assert needed_routes(interface(table=100), peers[:1], [lan]) == set()


def test_a_way_out_that_is_the_hosts_own_needs_no_rules() -> None:
    config = tunnel(peer("a", "0.0.0.0/0", "10.1.0.0/16"), local_networks=prefixes("0.0.0.0/0"))

    assert default_route_rules(config) is None
    assert planned_routes(config) == {Route(ipaddress.ip_network("10.1.0.0/16"))}
    assert default_route_rules(tunnel(peer("a", "0.0.0.0/0", "::/0"), local_networks=prefixes("::/0"))) is not None


@pytest.mark.parametrize(
    ("settings", "number"),
    [
        ({"listen_port": 51821}, 51821),
        ({}, 51820),
        ({"fwmark": 7, "listen_port": 51821}, 7),
        ({"listen_port": 254}, 51820),
    ],
)
def test_the_default_route_has_a_table_and_a_mark_of_one_number(settings: dict[str, int], number: int) -> None:
    config = tunnel(peer("a", "0.0.0.0/0", "192.168.7.0/24"), on=interface("10.86.0.1/24", **settings))

    assert default_route_rules(config) == effective_fwmark(config) == number
    assert planned_routes(config) == {
        Route(ipaddress.ip_network("0.0.0.0/0"), number),
        Route(ipaddress.ip_network("192.168.7.0/24")),
    }


def test_without_a_default_route_there_are_no_rules_and_the_mark_is_the_configured_one() -> None:
    config = tunnel(peer("a", "192.168.7.0/24"), on=interface(fwmark=9))

    assert default_route_rules(config) is None
    assert effective_fwmark(config) == 9


@pytest.mark.parametrize(("table", "number"), [(100, 100), (254, None)])
def test_a_named_table_takes_every_route_and_has_no_rules(table: int, number: int | None) -> None:
    config = tunnel(peer("a", "0.0.0.0/0"), on=interface(table=table))

    assert default_route_rules(config) is None
    assert planned_routes(config) == {Route(ipaddress.ip_network("0.0.0.0/0"), number)}
    assert str(Route(ipaddress.ip_network("0.0.0.0/0"), number)) == ("0.0.0.0/0 table 100" if number else "0.0.0.0/0")


def test_twenty_thousand_prefixes_are_no_trouble() -> None:
    first = int(ipaddress.IPv4Address("20.0.0.0"))
    many = tuple(ipaddress.IPv4Network((first + index * 256, 24)) for index in range(20_000))

    routes = needed_routes(interface("10.86.0.1/24"), [PeerConfig(peer("a").public_key, allowed_ips=many)])

    assert len(routes) == 20_000
