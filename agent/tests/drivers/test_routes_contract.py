# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What every routes driver must do; and what those must do whose system has routing tables and policy rules."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import pytest
from support.route_hosts import made_routes
from wirefleet_agent.config.model import Route
from wirefleet_agent.drivers.interfaces import RoutesDriver

ADDRESSES = [ipaddress.ip_interface("10.99.0.1/24"), ipaddress.ip_interface("2001:db8:99::1/64")]
PREFIXES = [ipaddress.ip_network("10.98.0.0/16"), ipaddress.ip_network("2001:db8:98::/48")]
WITH_TABLES = ("memory", pytest.param("linux", marks=[pytest.mark.netns, pytest.mark.linux_only]))
ALL = (*WITH_TABLES, "fake ip helper", pytest.param("windows", marks=pytest.mark.windows_only))


@pytest.fixture(params=ALL)
def routes(request: pytest.FixtureRequest) -> Iterator[RoutesDriver]:
    with made_routes(request.param) as made:
        yield made


@pytest.fixture(params=WITH_TABLES)
def routes_with_tables(request: pytest.FixtureRequest) -> Iterator[RoutesDriver]:
    with made_routes(request.param) as made:
        yield made


@pytest.mark.parametrize("address", ADDRESSES, ids=["v4", "v6"])
def test_an_address_is_added_and_removed_any_number_of_times(
    routes: RoutesDriver, address: ipaddress.IPv4Interface | ipaddress.IPv6Interface
) -> None:
    routes.set_up(True)

    routes.add_address(address)
    routes.add_address(address)
    assert routes.addresses() == {address}
    routes.remove_address(address)
    routes.remove_address(address)

    assert routes.addresses() == set()


def add_and_remove_twice(routes: RoutesDriver, route: Route) -> None:
    routes.set_up(True)
    for address in ADDRESSES:
        routes.add_address(address)

    routes.add_route(route)
    routes.add_route(route)
    assert routes.routes() == {route}
    routes.remove_route(route)
    routes.remove_route(route)

    assert routes.routes() == set()


@pytest.mark.parametrize("prefix", PREFIXES, ids=["v4", "v6"])
def test_a_route_is_added_and_removed_any_number_of_times(
    routes: RoutesDriver, prefix: ipaddress.IPv4Network | ipaddress.IPv6Network
) -> None:
    add_and_remove_twice(routes, Route(prefix))


@pytest.mark.parametrize("prefix", PREFIXES, ids=["v4", "v6"])
def test_so_is_a_route_of_another_table(
    routes_with_tables: RoutesDriver, prefix: ipaddress.IPv4Network | ipaddress.IPv6Network
) -> None:
    add_and_remove_twice(routes_with_tables, Route(prefix, 4242))


def add_default_routes(routes: RoutesDriver, table: int | None) -> None:
    routes.set_up(True)
    for address in ADDRESSES:
        routes.add_address(address)
    wanted = {Route(ipaddress.ip_network("0.0.0.0/0"), table), Route(ipaddress.ip_network("::/0"), table)}

    for route in wanted:
        routes.add_route(route)

    assert routes.routes() == wanted


def test_default_routes_are_routes_too(routes: RoutesDriver) -> None:
    add_default_routes(routes, None)


def test_so_are_those_of_another_table(routes_with_tables: RoutesDriver) -> None:
    add_default_routes(routes_with_tables, 51820)


def test_it_says_whether_the_host_forwards(routes: RoutesDriver) -> None:
    routes.set_forwarding(True)
    during = routes.forwards()
    routes.set_forwarding(False)

    assert (during, routes.forwards()) == (True, False)


def test_forwarding_and_link_state_may_be_set_twice(routes: RoutesDriver) -> None:
    for is_on in (True, True, False, False):
        routes.set_forwarding(is_on)
        routes.set_up(is_on)
        routes.set_mtu(1400)
    routes.close()


def test_so_may_policy_rules(routes_with_tables: RoutesDriver) -> None:
    for is_on in (True, True, False, False):
        routes_with_tables.set_default_route_rules(51820, 51820, is_on)
        routes_with_tables.set_forwarding(is_on)
    routes_with_tables.close()
