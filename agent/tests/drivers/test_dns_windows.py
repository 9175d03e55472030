# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Name servers of a tunnel on Windows: which family gets which, and what becomes of those of an earlier process."""

from __future__ import annotations

import pytest
from support.memory_iphelper import TUNNEL, MemoryIpHelper
from wirefleet_agent.drivers.routes_windows import WindowsRoutes
from wirefleet_agent.drivers.win32_errors import ERROR_ACCESS_DENIED
from wirefleet_agent.errors import DriverError


@pytest.fixture
def api() -> MemoryIpHelper:
    return MemoryIpHelper()


@pytest.fixture
def routes(api: MemoryIpHelper) -> WindowsRoutes:
    return WindowsRoutes(TUNNEL, "wft0", api, wait=lambda _seconds: None)


def test_each_family_gets_its_own_servers(routes: WindowsRoutes, api: MemoryIpHelper) -> None:
    routes.set_dns(["192.0.2.53", "2001:db8::53", "192.0.2.54"], ["example.net"])

    assert api.dns == {
        (TUNNEL, 4): (("192.0.2.53", "192.0.2.54"), ("example.net",)),
        (TUNNEL, 6): (("2001:db8::53",), ("example.net",)),
    }


def test_name_servers_wait_for_their_family(api: MemoryIpHelper) -> None:
    late, waits = api.known.pop((TUNNEL, 4)), []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        api.known[TUNNEL, 4] = late

    WindowsRoutes(TUNNEL, "wft0", api, wait=wait).set_dns(["192.0.2.53"], [])

    assert api.dns[TUNNEL, 4] == (("192.0.2.53",), ())


def test_name_servers_of_a_killed_process_go_when_the_tunnel_comes_up_without_any(
    routes: WindowsRoutes, api: MemoryIpHelper
) -> None:
    """The adapter's GUID is the same again, and with it what the registry holds for it."""
    api.dns[TUNNEL, 4] = (("192.0.2.53",), ("example.net",))

    routes.set_up(True)

    assert set(api.dns.values()) == {((), ())}


def test_name_servers_that_were_set_survive_the_way_up(routes: WindowsRoutes, api: MemoryIpHelper) -> None:
    routes.set_dns(["192.0.2.53"], [])

    routes.set_up(True)

    assert api.dns[TUNNEL, 4] == (("192.0.2.53",), ())


def test_a_host_that_refuses_to_forget_name_servers_comes_up_all_the_same(
    routes: WindowsRoutes, api: MemoryIpHelper
) -> None:
    api.dns_error = ERROR_ACCESS_DENIED

    routes.set_up(True)

    assert api.prepared == {(TUNNEL, 4), (TUNNEL, 6)}


def test_name_servers_that_are_refused_are_an_error_and_those_nobody_wants_are_not_asked_for(
    routes: WindowsRoutes, api: MemoryIpHelper
) -> None:
    api.dns_error = ERROR_ACCESS_DENIED

    routes.set_dns([], [])
    with pytest.raises(DriverError) as caught:
        routes.set_dns(["192.0.2.53"], [])

    assert caught.value.os_code == ERROR_ACCESS_DENIED
    assert "administrator" in (caught.value.hint or "")
