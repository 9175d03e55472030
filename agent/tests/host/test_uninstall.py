# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import ipaddress
import socket
from uuid import UUID

import pytest
from support.windows_host import FakeAdapters, FakeEventSources, FakeIpHelper
from wirefleet_agent.drivers.tun_windows import adapter_guid
from wirefleet_agent.errors import DriverError
from wirefleet_agent.host.adapters import Adapter
from wirefleet_agent.host.paths import Paths
from wirefleet_agent.host.uninstall import (
    EventSources,
    Forwarding,
    OurAdapters,
    RememberedInterface,
    StaleSocket,
    StrayAddresses,
    remove_leftovers,
)

ADDRESS = ipaddress.ip_interface("10.9.0.1/24")
OURS = Adapter("ROOT\\NET\\0000", "wf0", adapter_guid("wf0"), is_present=False, problem_code=0)
STRANGER = Adapter("ROOT\\NET\\0001", "office", adapter_guid("office"), is_present=True, problem_code=0)


class Keys:
    """InterfaceKeys."""

    def __init__(self, guid: UUID) -> None:
        self.guid = guid
        self.keys = ["Tcpip\\{guid}", "Tcpip6\\{guid}"]

    def find(self, guid: UUID):
        return list(self.keys) if guid == self.guid else []

    def remove(self, key: str) -> None:
        self.keys.remove(key)


class Host:
    def __init__(self, root) -> None:
        self.tunnel = Paths(root).tunnel("wf0")
        self.helper = FakeIpHelper(1)
        self.helper.held = [(1, ipaddress.ip_interface("192.0.2.1/24")), (9, ADDRESS)]
        self.adapters = FakeAdapters(OURS, STRANGER)
        self.keys = Keys(adapter_guid("wf0"))
        self.sources = FakeEventSources("WireFleet", "Application Error", strange={"wirefleet-wf0"})
        self.note = root / "forwarding.json"
        self.note.touch()

    def remove(self, *, check: bool = False) -> list[str]:
        sources = [
            Forwarding(self.note, self.note.unlink),
            StrayAddresses(lambda: self.helper, {ADDRESS.ip}),
            OurAdapters(self.tunnel, self.adapters),
            RememberedInterface(self.tunnel, self.keys),
            EventSources(self.sources, ["WireFleet", "wirefleet-wf0"]),
        ]
        return remove_leftovers(sources, check=check)


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


ALL = [
    "forwarding",
    "address 10.9.0.1/24",
    "adapter wf0",
    "registry Tcpip\\{guid}",
    "registry Tcpip6\\{guid}",
    "event log source WireFleet",
    "event log source wirefleet-wf0",
]


def test_all_that_is_ours_goes_and_nothing_else(host):
    assert host.remove() == ALL

    assert [str(address) for _, address in host.helper.held] == ["192.0.2.1/24"]
    assert host.adapters.known == [STRANGER]
    assert host.keys.keys == []
    assert host.sources.known == {"Application Error"}
    assert host.sources.strange == set()
    assert not host.note.exists()


def test_a_second_time_there_is_nothing_left(host):
    host.remove()

    assert host.remove() == []


def test_check_mode_names_the_same_and_removes_nothing(host):
    assert host.remove(check=True) == ALL

    assert host.adapters.removed == []
    assert "WireFleet" in host.sources.known
    assert host.note.exists()


def test_what_cannot_be_removed_is_reported_after_all_the_rest_is_gone(host):
    host.adapters.fail = DriverError("access is denied", call="DiUninstallDevice")

    with pytest.raises(DriverError, match="access is denied"):
        host.remove()

    assert host.keys.keys == []
    assert host.sources.known == {"Application Error"}


def test_a_socket_that_nobody_answers_on_is_removed(tmp_path):
    path = tmp_path / "wf0.sock"
    path.touch()

    assert remove_leftovers([StaleSocket(path, lambda _: True)], check=False) == []
    assert remove_leftovers([StaleSocket(path, lambda _: False)], check=False) == [f"socket {path}"]
    assert remove_leftovers([StaleSocket(path, lambda _: False)], check=False) == []


@pytest.mark.linux_only
def test_whether_a_socket_is_served_is_found_out_by_asking(tmp_path):
    from wirefleet_agent.host.control_posix import is_served

    path = tmp_path / "wf0.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        was_served = [is_served(path)]
        listener.listen(1)
        was_served.append(is_served(path))

    assert was_served == [False, True]
    assert path.exists()
    assert not is_served(path)
