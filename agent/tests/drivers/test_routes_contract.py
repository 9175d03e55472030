# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What every routes driver must do."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from typing import cast

import pytest
from support.netns import Namespace, can_make_namespaces, single_namespace
from wirefleet_agent.config.model import Route
from wirefleet_agent.drivers.interfaces import RoutesDriver
from wirefleet_agent.drivers.memory import MemoryRoutes
from wirefleet_agent.drivers.routes_linux import LinuxRoutes

ADDRESSES = [ipaddress.ip_interface("10.99.0.1/24"), ipaddress.ip_interface("2001:db8:99::1/64")]
PREFIXES = [ipaddress.ip_network("10.98.0.0/16"), ipaddress.ip_network("2001:db8:98::/48")]


class InNamespace:
    """Every method of the driver, called in the namespace's thread."""

    def __init__(self, namespace: Namespace, driver: LinuxRoutes) -> None:
        self._namespace = namespace
        self._driver = driver

    def __getattr__(self, name: str) -> Callable[..., object]:
        method = getattr(self._driver, name)
        return lambda *arguments: self._namespace.call(lambda: method(*arguments))


@pytest.fixture(params=["memory", pytest.param("linux", marks=pytest.mark.netns)])
def routes(request: pytest.FixtureRequest) -> Iterator[RoutesDriver]:
    if request.param == "memory":
        yield MemoryRoutes()
        return
    if not can_make_namespaces():
        pytest.skip("needs root")
    with single_namespace("routes") as namespace:
        namespace.run("ip", "tuntap", "add", "wft0", "mode", "tun")
        yield cast(RoutesDriver, InNamespace(namespace, namespace.call(lambda: LinuxRoutes("wft0"))))


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


@pytest.mark.parametrize("prefix", PREFIXES, ids=["v4", "v6"])
@pytest.mark.parametrize("table", [None, 4242])
def test_a_route_is_added_and_removed_any_number_of_times(
    routes: RoutesDriver, prefix: ipaddress.IPv4Network | ipaddress.IPv6Network, table: int | None
) -> None:
    routes.set_up(True)
    for address in ADDRESSES:
        routes.add_address(address)
    route = Route(prefix, table)

    routes.add_route(route)
    routes.add_route(route)
    assert routes.routes() == {route}
    routes.remove_route(route)
    routes.remove_route(route)

    assert routes.routes() == set()


def test_default_routes_are_routes_too(routes: RoutesDriver) -> None:
    routes.set_up(True)
    for address in ADDRESSES:
        routes.add_address(address)
    wanted = {Route(ipaddress.ip_network("0.0.0.0/0"), 51820), Route(ipaddress.ip_network("::/0"), 51820)}

    for route in wanted:
        routes.add_route(route)

    assert routes.routes() == wanted


def test_it_says_whether_the_host_forwards(routes: RoutesDriver) -> None:
    routes.set_forwarding(True)
    during = routes.forwards()
    routes.set_forwarding(False)

    assert (during, routes.forwards()) == (True, False)


def test_rules_forwarding_and_link_state_may_be_set_twice(routes: RoutesDriver) -> None:
    for is_on in (True, True, False, False):
        routes.set_default_route_rules(51820, 51820, is_on)
        routes.set_forwarding(is_on)
        routes.set_up(is_on)
        routes.set_mtu(1400)
    routes.close()
