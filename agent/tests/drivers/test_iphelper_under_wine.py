# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The binding to the IP Helper, seen from outside: what it sets is there for others, and what is wrong is refused.

Under Wine "outside" is Linux's ``ip`` in the same namespace, and the functions are those of a stand-in that was built
with Wine's headers, so that a wrong layout of ours would be seen here.
"""

from __future__ import annotations

import contextlib
import ctypes
import ipaddress
import time
import uuid
import winreg
from collections.abc import Callable, Iterator

import pytest
from support.netns import wait_until
from support.route_hosts import NAME, windows_routes
from support.tun_hosts import IS_WINE, run_outside
from wirefleet_agent.config.model import Route
from wirefleet_agent.drivers.iphelper import InterfaceSettings
from wirefleet_agent.drivers.iphelper_layouts import Guid, IpForwardRow2, IpInterfaceRow, UnicastIpAddressRow
from wirefleet_agent.drivers.monitor_windows import WindowsUnderlayMonitor
from wirefleet_agent.drivers.name_servers import interface_key
from wirefleet_agent.drivers.routes_windows import WindowsRoutes
from wirefleet_agent.drivers.win32.iphelper import IpHelper, load_ip_helper
from wirefleet_agent.drivers.win32_errors import (
    ERROR_FILE_NOT_FOUND,
    ERROR_INVALID_PARAMETER,
    ERROR_NOT_FOUND,
    ERROR_OBJECT_ALREADY_EXISTS,
    Win32Error,
)

pytestmark = pytest.mark.windows_only
only_under_wine = pytest.mark.skipif(not IS_WINE, reason="looks with Linux's ip")
V4, V6 = ipaddress.ip_interface("10.99.0.1/24"), ipaddress.ip_interface("2001:db8:99::1/64")
PREFIX, PREFIX6 = ipaddress.ip_network("10.98.0.0/16"), ipaddress.ip_network("2001:db8:98::/48")
NOBODY = 53 << 48 | 0xABCD00 << 24


@pytest.fixture
def routes() -> Iterator[WindowsRoutes]:
    with windows_routes() as made:
        yield made


def luid_of(routes: WindowsRoutes) -> int:
    return routes._luid


def guid_of(routes: WindowsRoutes) -> uuid.UUID:
    guid = Guid()
    load_ip_helper()._call(
        "ConvertInterfaceLuidToGuid", ctypes.byref(ctypes.c_uint64(luid_of(routes))), ctypes.byref(guid)
    )
    return guid.value


@only_under_wine
def test_others_see_addresses_routes_and_mtu_and_nothing_of_them_afterwards(routes: WindowsRoutes) -> None:
    for address in (V4, V6):
        routes.add_address(address)
    for prefix in (PREFIX, PREFIX6):
        routes.add_route(Route(prefix))
    routes.set_mtu(1380)

    run_outside(f"ip -4 address show dev {NAME} | grep -q 'inet 10.99.0.1/24'")
    run_outside(f"ip -6 address show dev {NAME} | grep -q 'inet6 2001:db8:99::1/64'")
    run_outside(f"ip -4 route show dev {NAME} | grep -q '^10.98.0.0/16 proto static'")
    run_outside(f"ip -6 route show dev {NAME} | grep -q '^2001:db8:98::/48 proto static'")
    run_outside(f"ip link show dev {NAME} | grep -q 'mtu 1380'")
    routes.close()

    run_outside(f"! ip -4 address show dev {NAME} | grep -q inet")
    run_outside(f"! ip -6 address show dev {NAME} scope global | grep -q inet")
    run_outside(f"! ip -4 route show dev {NAME} | grep -q .")
    run_outside(f"! ip -6 route show dev {NAME} proto static | grep -q .")


@only_under_wine
def test_forwarding_is_seen_by_the_kernel_and_goes_back(routes: WindowsRoutes) -> None:
    routes.set_forwarding(True)
    for version in (4, 6):
        run_outside(f"test $(cat /proc/sys/net/ipv{version}/conf/{NAME}/forwarding) = 1")

    routes.set_forwarding(False)

    for version in (4, 6):
        run_outside(f"test $(cat /proc/sys/net/ipv{version}/conf/{NAME}/forwarding) = 0")


def test_the_interface_is_read_back_as_it_was_set(routes: WindowsRoutes) -> None:
    api, luid = load_ip_helper(), luid_of(routes)

    for version in (4, 6):
        api.set_interface(luid, version, InterfaceSettings(is_tunnel=True, metric=0, mtu_bytes=1400))

    mine = {known.version: known for known in api.interfaces() if known.luid == luid}
    assert {version: (known.metric, known.mtu_bytes) for version, known in mine.items()} == {4: (0, 1400), 6: (0, 1400)}


def test_a_change_is_heard_on_another_thread_and_no_more_after_the_close(routes: WindowsRoutes) -> None:
    monitor = WindowsUnderlayMonitor(load_ip_helper())
    monitor.has_changed()

    routes.add_address(V4)

    wait_until(monitor.has_changed, "a notification")
    monitor.close()
    routes.add_address(V6)


def test_default_routes_are_those_of_all_that_lead_anywhere(routes: WindowsRoutes) -> None:
    api = load_ip_helper()
    for prefix in (PREFIX, PREFIX6, ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")):
        routes.add_route(Route(prefix))

    found = api.default_routes()

    assert {(route.luid, str(route.prefix)) for route in found} >= {
        (luid_of(routes), "0.0.0.0/0"),
        (luid_of(routes), "::/0"),
    }
    assert found == [route for route in api.routes() if not route.prefix.prefixlen]


def test_subscriptions_come_and_go_while_changes_happen(routes: WindowsRoutes) -> None:
    api = load_ip_helper()
    heard: list[float] = []

    for _ in range(20):
        with contextlib.closing(api.watch(lambda: heard.append(time.monotonic()))):
            routes.add_address(V4)
            routes.remove_address(V4)

    assert routes.addresses() == set()


def test_dns_is_where_windows_keeps_it_and_is_taken_back(routes: WindowsRoutes) -> None:
    def stored(service: str, value: str) -> str:
        path = rf"SYSTEM\CurrentControlSet\Services\{service}\Parameters\Interfaces\{{{guid_of(routes)}}}"
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path) as key:
            return str(winreg.QueryValueEx(key, value)[0])

    routes.set_dns(["192.0.2.53", "192.0.2.54", "2001:db8::53"], ["example.net", "example.org"])
    during = [stored("Tcpip", "NameServer"), stored("Tcpip6", "NameServer"), stored("Tcpip", "SearchList")]
    routes.set_dns([], [])

    assert during == ["192.0.2.53,192.0.2.54", "2001:db8::53", "example.net,example.org"]
    assert (stored("Tcpip", "NameServer"), stored("Tcpip6", "NameServer")) == ("", "")


class OlderLibrary:
    """iphlpapi.dll of Windows Server 2019."""

    def __init__(self) -> None:
        self._library = ctypes.WinDLL("iphlpapi.dll")

    def __getattr__(self, name: str) -> object:
        return getattr(self._library, name)

    def __getitem__(self, name: str) -> object:
        if name == "SetInterfaceDnsSettings":
            raise AttributeError(name)
        return self._library[name]


def test_an_older_windows_gets_its_name_servers_by_the_registry(routes: WindowsRoutes) -> None:
    older = WindowsRoutes(luid_of(routes), NAME, IpHelper(OlderLibrary()))  # type: ignore[arg-type]
    routes.set_dns(["192.0.2.1"], [])  # the keys exist from here on, as they do on Windows from the start
    guid = guid_of(routes)

    def stored(version: int, name: str) -> str:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, interface_key(guid, version)) as key:
            return str(winreg.QueryValueEx(key, name)[0])

    older.set_dns(["192.0.2.53", "2001:db8::53"], ["example.net", "example.org"])
    during = [stored(4, "NameServer"), stored(6, "NameServer"), stored(4, "SearchList"), stored(6, "Domain")]
    older.set_dns([], [])

    assert during == ["192.0.2.53", "2001:db8::53", "example.net,example.org", "example.net"]
    assert [stored(version, name) for version in (4, 6) for name in ("NameServer", "SearchList", "Domain")] == [""] * 6


def refusal(call: Callable[[], object]) -> int:
    with pytest.raises(Win32Error) as caught:
        call()
    return caught.value.code


def test_an_unknown_interface_is_refused_by_every_call() -> None:
    api = load_ip_helper()

    codes = {
        refusal(lambda: api.create_address(NOBODY, V4)),
        refusal(lambda: api.delete_address(NOBODY, V4)),
        refusal(lambda: api.create_route(NOBODY, PREFIX, 0)),
        refusal(lambda: api.delete_route(NOBODY, PREFIX)),
        refusal(lambda: api.set_interface(NOBODY, 4, InterfaceSettings(metric=0))),
    }

    assert codes <= {ERROR_NOT_FOUND, ERROR_FILE_NOT_FOUND}


def test_what_is_there_twice_and_what_is_not_there_have_the_documented_codes(routes: WindowsRoutes) -> None:
    api, luid = load_ip_helper(), luid_of(routes)
    api.create_address(luid, V4)
    api.create_route(luid, PREFIX, 0)

    assert refusal(lambda: api.create_address(luid, V4)) == ERROR_OBJECT_ALREADY_EXISTS
    assert refusal(lambda: api.create_route(luid, PREFIX, 0)) == ERROR_OBJECT_ALREADY_EXISTS
    api.delete_route(luid, PREFIX)
    api.delete_address(luid, V4)
    assert refusal(lambda: api.delete_address(luid, V4)) == ERROR_NOT_FOUND
    assert refusal(lambda: api.delete_route(luid, PREFIX)) == ERROR_NOT_FOUND


def test_rows_that_are_zeroed_or_make_no_sense_are_refused(routes: WindowsRoutes) -> None:
    api, luid = load_ip_helper(), luid_of(routes)

    def address_row(**values: int) -> UnicastIpAddressRow:
        row = UnicastIpAddressRow()
        api._functions["InitializeUnicastIpAddressEntry"](ctypes.byref(row))
        row.set(luid, V4)
        for name, value in values.items():
            setattr(row, name, value)
        return row

    def route_row(**values: int) -> IpForwardRow2:
        row = api._route_row(luid, PREFIX, 0)
        for name, value in values.items():
            setattr(row, name, value)
        return row

    long_prefix, host_bits = route_row(), route_row()
    long_prefix.destination.length = 33
    host_bits.destination.prefix.set(V4.ip)
    wrong = [
        ("CreateUnicastIpAddressEntry", UnicastIpAddressRow()),
        ("CreateUnicastIpAddressEntry", address_row(on_link_prefix_length=33)),
        ("CreateUnicastIpAddressEntry", address_row(valid_lifetime=10, preferred_lifetime=20)),
        ("CreateIpForwardEntry2", IpForwardRow2()),
        ("CreateIpForwardEntry2", long_prefix),
        ("CreateIpForwardEntry2", host_bits),
        ("CreateIpForwardEntry2", route_row(valid_lifetime=10, preferred_lifetime=20)),
        ("SetIpInterfaceEntry", IpInterfaceRow()),
    ]

    codes = {refusal(lambda name=name, row=row: api._call(name, ctypes.byref(row))) for name, row in wrong}  # type: ignore[misc]

    assert codes == {ERROR_INVALID_PARAMETER}
