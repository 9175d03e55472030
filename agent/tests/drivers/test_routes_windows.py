# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What the routes driver for Windows asks of the IP Helper, in which order, and what it leaves behind."""

from __future__ import annotations

import ipaddress
import select
import threading
from pathlib import Path

import pytest
from support.memory_iphelper import DEAD, LAN, LOOPBACK, TUNNEL, MemoryIpHelper
from wirefleet_agent.config.model import Route
from wirefleet_agent.drivers.doorbell import Doorbell
from wirefleet_agent.drivers.iphelper import InterfaceSettings, IpInterface, IpRoute
from wirefleet_agent.drivers.monitor_windows import WindowsUnderlayMonitor
from wirefleet_agent.drivers.mtu_windows import MtuFollowingMonitor
from wirefleet_agent.drivers.restore_file import RestoreFile
from wirefleet_agent.drivers.routes_windows import WindowsRoutes
from wirefleet_agent.drivers.win32_errors import ERROR_OBJECT_ALREADY_EXISTS
from wirefleet_agent.errors import DriverError

V4, V6 = ipaddress.ip_interface("10.99.0.1/24"), ipaddress.ip_interface("2001:db8:99::1/64")
PREFIX = ipaddress.ip_network("10.98.0.0/16")
ANYWHERE, ANYWHERE6 = ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")


class Link:
    """The TUN driver's half."""

    def __init__(self) -> None:
        self.told: list[tuple[bool | None, int | None]] = []

    def set_link(self, *, is_up: bool | None = None, mtu_bytes: int | None = None) -> None:
        self.told.append((is_up, mtu_bytes))


@pytest.fixture
def api() -> MemoryIpHelper:
    return MemoryIpHelper()


@pytest.fixture
def link() -> Link:
    return Link()


@pytest.fixture
def routes(api: MemoryIpHelper, link: Link) -> WindowsRoutes:
    return WindowsRoutes(TUNNEL, "wft0", api, link=link, wait=lambda _seconds: None)


def test_the_interface_is_prepared_before_its_first_address(routes: WindowsRoutes, api: MemoryIpHelper) -> None:
    routes.add_address(V4)

    prepared = InterfaceSettings(is_tunnel=True, metric=0)
    assert api.calls == [
        ("set_interface", TUNNEL, 4, prepared),
        ("set_interface", TUNNEL, 6, prepared),
        ("create_address", TUNNEL, V4),
    ]


def test_an_address_of_a_dead_adapter_is_taken_over(routes: WindowsRoutes, api: MemoryIpHelper) -> None:
    api.held.append((DEAD, ipaddress.ip_interface("10.99.0.1/16")))

    routes.add_address(V4)

    assert api.held == [(TUNNEL, V4)]


def test_an_address_of_an_interface_that_lives_is_not_taken(routes: WindowsRoutes, api: MemoryIpHelper) -> None:
    api.held.append((LAN, V4))

    with pytest.raises(DriverError) as caught:
        routes.add_address(V4)

    assert caught.value.os_code == ERROR_OBJECT_ALREADY_EXISTS
    assert "another interface" in (caught.value.hint or "")
    assert api.held == [(LAN, V4)]


def test_an_own_address_gets_its_new_prefix_length(routes: WindowsRoutes, api: MemoryIpHelper) -> None:
    routes.add_address(V4)

    routes.add_address(ipaddress.ip_interface("10.99.0.1/16"))

    assert routes.addresses() == {ipaddress.ip_interface("10.99.0.1/16")}


def test_a_family_that_the_host_does_not_have_is_an_error_with_a_hint(
    routes: WindowsRoutes, api: MemoryIpHelper
) -> None:
    del api.known[TUNNEL, 6]
    routes.add_address(V4)

    with pytest.raises(DriverError) as caught:
        routes.add_address(V6)

    assert "switched off" in (caught.value.hint or "")


def test_a_family_that_comes_a_moment_after_the_adapter_is_waited_for(api: MemoryIpHelper, link: Link) -> None:
    late, waits = api.known.pop((TUNNEL, 6)), []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            api.known[TUNNEL, 6] = late

    routes = WindowsRoutes(TUNNEL, "wft0", api, link=link, wait=wait)
    routes.set_mtu(1380)
    routes.add_address(V4)
    assert waits == []

    routes.add_address(V6)

    assert len(waits) == 3
    assert api.calls[-3:] == [
        ("set_interface", TUNNEL, 6, InterfaceSettings(is_tunnel=True, metric=0)),
        ("set_interface", TUNNEL, 6, InterfaceSettings(mtu_bytes=1380)),
        ("create_address", TUNNEL, V6),
    ]


def test_a_family_that_does_not_come_is_waited_for_once_and_not_for_long(api: MemoryIpHelper) -> None:
    del api.known[TUNNEL, 6]
    waits: list[float] = []
    routes = WindowsRoutes(TUNNEL, "wft0", api, wait=waits.append)

    for _ in range(2):
        with pytest.raises(DriverError):
            routes.add_route(Route(ANYWHERE6))

    assert sum(waits) == pytest.approx(5)


def test_a_family_that_comes_much_later_is_prepared_like_the_other(routes: WindowsRoutes, api: MemoryIpHelper) -> None:
    late = api.known.pop((TUNNEL, 6))
    routes.set_mtu(1380)

    api.known[TUNNEL, 6] = late
    routes.follow_underlay()

    assert api.prepared == {(TUNNEL, 4), (TUNNEL, 6)}
    assert api.known[TUNNEL, 6].mtu_bytes == 1380


def test_the_systems_own_routes_and_link_local_addresses_are_not_shown(
    routes: WindowsRoutes, api: MemoryIpHelper
) -> None:
    routes.add_address(V4)
    api.held.append((TUNNEL, ipaddress.ip_interface("fe80::1/64")))
    api.table.append(IpRoute(LAN, PREFIX))

    assert (routes.addresses(), routes.routes()) == ({V4}, set())


def test_routing_tables_and_policy_rules_are_refused_with_a_way_out(routes: WindowsRoutes) -> None:
    for refuse in (
        lambda: routes.add_route(Route(ANYWHERE, 51820)),
        lambda: routes.set_default_route_rules(51820, 51820, True),
    ):
        with pytest.raises(DriverError) as caught:
            refuse()
        assert "Table" in (caught.value.hint or "")
    routes.set_default_route_rules(51820, 51820, False)
    routes.remove_route(Route(ANYWHERE, 51820))


def test_closing_takes_back_dns_routes_addresses_and_forwarding_in_this_order(
    routes: WindowsRoutes, api: MemoryIpHelper
) -> None:
    routes.add_address(V4)
    routes.add_route(Route(PREFIX))
    routes.set_dns(["192.0.2.53"], ["example.net"])
    routes.set_forwarding(True)
    api.calls.clear()

    routes.close()
    routes.close()

    assert [call[0] for call in api.calls] == [
        "set_dns", "set_dns", "delete_route", "delete_address", *["set_interface"] * 4,
    ]  # fmt: skip
    assert not any(interface.is_forwarding for interface in api.known.values())
    assert set(api.dns.values()) == {((), ())}


def test_closing_after_the_adapter_has_gone_is_no_error(routes: WindowsRoutes, api: MemoryIpHelper) -> None:
    routes.add_address(V4)
    routes.set_dns(["192.0.2.53"], [])
    api.remove(TUNNEL)

    routes.close()

    assert api.held == []


@pytest.mark.parametrize(
    ("lan_mtu", "ipv4", "ipv6"), [(1500, 1420, 1420), (9000, 1420, 1420), (1400, 1320, 1320), (1300, 1220, 1280)]
)
def test_the_default_mtu_is_what_the_way_out_leaves(
    routes: WindowsRoutes, api: MemoryIpHelper, link: Link, lan_mtu: int, ipv4: int, ipv6: int
) -> None:
    api.table.append(IpRoute(LAN, ANYWHERE))
    api.change(LAN, 4, mtu_bytes=lan_mtu)

    routes.set_mtu(1420)

    assert (api.known[TUNNEL, 4].mtu_bytes, api.known[TUNNEL, 6].mtu_bytes) == (ipv4, ipv6)
    assert link.told == [(None, max(ipv4, ipv6))]


def test_the_mtu_follows_the_best_default_route_and_never_the_tunnels_own(
    routes: WindowsRoutes, api: MemoryIpHelper
) -> None:
    phone = 71 << 48 | 9
    api.known[phone, 4] = IpInterface(phone, 4, metric=50, mtu_bytes=1300)
    api.table += [IpRoute(LAN, ANYWHERE, 10), IpRoute(phone, ANYWHERE, 0), IpRoute(TUNNEL, ANYWHERE, 0)]
    monitor = MtuFollowingMonitor(WindowsUnderlayMonitor(api), routes)
    routes.set_mtu(1420)
    before = api.known[TUNNEL, 4].mtu_bytes
    monitor.has_changed()

    api.change(LAN, 4, is_connected=False)
    has_changed = monitor.has_changed()
    during = api.known[TUNNEL, 4].mtu_bytes
    api.change(LAN, 4, is_connected=True)
    monitor.has_changed()

    assert (before, has_changed, during, api.known[TUNNEL, 4].mtu_bytes) == (1420, True, 1220, 1420)
    monitor.has_changed()
    assert not monitor.has_changed()  # its own changes have come to rest
    monitor.close()


def test_thousands_of_routes_are_not_looked_through_at_every_change(
    routes: WindowsRoutes, api: MemoryIpHelper, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.table.append(IpRoute(LAN, ANYWHERE))
    routes.set_mtu(1420)
    monkeypatch.setattr(api, "routes", lambda: pytest.fail("all routes were asked for"))

    api.change(LAN, 4, mtu_bytes=1400)
    routes.follow_underlay()

    assert api.known[TUNNEL, 4].mtu_bytes == 1320


def test_a_configured_mtu_stays_whatever_the_underlay_does(routes: WindowsRoutes, api: MemoryIpHelper) -> None:
    api.table.append(IpRoute(LAN, ANYWHERE6))
    routes.set_mtu(1380)

    api.change(LAN, 6, mtu_bytes=1280)
    routes.follow_underlay()

    assert api.known[TUNNEL, 4].mtu_bytes == 1380


def test_up_and_down_are_the_tun_drivers(routes: WindowsRoutes, link: Link) -> None:
    routes.set_up(True)
    routes.set_up(False)

    assert link.told == [(True, None), (False, None)]


def test_forwarding_is_for_connected_interfaces_but_loopback(routes: WindowsRoutes, api: MemoryIpHelper) -> None:
    api.known[DEAD, 4] = IpInterface(DEAD, 4, is_connected=False)

    routes.set_forwarding(True)

    on = {luid for (luid, _), interface in api.known.items() if interface.is_forwarding}
    assert on == {LAN, TUNNEL}
    assert routes.forwards()


def test_forwarding_that_was_on_stays_on(routes: WindowsRoutes, api: MemoryIpHelper) -> None:
    api.change(LAN, 4, is_forwarding=True)

    routes.set_forwarding(True)
    routes.set_forwarding(False)

    assert [key for key, interface in api.known.items() if interface.is_forwarding] == [(LAN, 4)]


def test_an_interface_that_comes_later_forwards_like_the_others(routes: WindowsRoutes, api: MemoryIpHelper) -> None:
    routes.set_forwarding(True)
    phone = 71 << 48 | 9
    api.known[phone, 4] = IpInterface(phone, 4)
    assert not routes.forwards()

    routes.follow_underlay()
    assert routes.forwards()
    routes.set_forwarding(False)

    assert not api.known[phone, 4].is_forwarding


def test_a_killed_process_does_not_make_the_next_one_forget_what_was_off(api: MemoryIpHelper, tmp_path: Path) -> None:
    memory = RestoreFile(tmp_path / "wft0.forwarding.json")
    WindowsRoutes(TUNNEL, "wft0", api, forwarding_memory=memory).set_forwarding(True)

    successor = WindowsRoutes(TUNNEL, "wft0", api, forwarding_memory=memory)
    successor.set_forwarding(True)
    successor.close()

    assert not any(interface.is_forwarding for interface in api.known.values())
    assert memory.load() == {}
    assert list(tmp_path.iterdir()) == []


def test_a_storm_of_changes_rings_once_and_is_over_when_it_was_heard(api: MemoryIpHelper) -> None:
    monitor = WindowsUnderlayMonitor(api)
    assert not monitor.has_changed()

    for _ in range(10_000):
        api.tell()
    rings = bool(select.select([monitor.fileno()], [], [], 1)[0])

    assert (rings, monitor.has_changed(), monitor.has_changed()) == (True, True, False)
    assert not select.select([monitor.fileno()], [], [], 0)[0]
    monitor.close()
    monitor.close()
    assert api.watchers == 0


def test_a_change_while_an_earlier_one_is_heard_rings_again(
    api: MemoryIpHelper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows the second one comes on a thread of the system, at any moment."""
    monitor = WindowsUnderlayMonitor(api)
    silence = Doorbell.silence

    def silence_while_another_comes(bell: Doorbell) -> None:
        other = threading.Thread(target=api.tell)
        other.start()
        other.join(0.1)  # in vain if it has to wait for us
        silence(bell)

    api.tell()
    monkeypatch.setattr(Doorbell, "silence", silence_while_another_comes)
    first = monitor.has_changed()
    monkeypatch.undo()

    assert select.select([monitor.fileno()], [], [], 1)[0]
    assert (first, monitor.has_changed()) == (True, True)
    api.tell()
    assert select.select([monitor.fileno()], [], [], 1)[0]
    monitor.close()


def test_loopback_never_counts(routes: WindowsRoutes, api: MemoryIpHelper) -> None:
    routes.set_forwarding(True)

    assert not api.known[LOOPBACK, 4].is_forwarding
