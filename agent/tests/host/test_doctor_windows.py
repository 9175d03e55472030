# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The doctor's checks of services and adapters: each on a healthy Windows and on one with its failure."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from pathlib import Path

import pytest
from support.windows_host import FakeAdapters, FakeEventSources, FakeIpHelper, FakeService, FakeServiceManager
from wirefleet_agent.drivers.tun_windows import adapter_guid
from wirefleet_agent.errors import DriverError
from wirefleet_agent.host.adapters import Adapter
from wirefleet_agent.host.doctor import examine
from wirefleet_agent.host.doctor._adapters import AdapterWorks, NoAdapterIsLeftOver, NoAddressIsStale
from wirefleet_agent.host.doctor._services import (
    EventSourceIsRegistered,
    NetSetupIsEnabled,
    ServiceCommandIsOurs,
    ServiceHasFewPrivileges,
    ServiceIsRegistered,
    ServiceRuns,
    ServiceStartsByItself,
)
from wirefleet_agent.host.paths import Paths
from wirefleet_agent.host.process_windows import KEPT_PRIVILEGES
from wirefleet_agent.host.service_manager import (
    ServiceConfig,
    ServiceState,
    ServiceStatus,
    StartType,
    service_command,
)

NAME = "wirefleet-wf0"
ADDRESS = ipaddress.ip_interface("10.9.0.1/24")
GUID = adapter_guid("wf0")


@pytest.fixture
def tunnel(tmp_path):
    return Paths(tmp_path).tunnel("wf0")


@pytest.fixture
def service(tunnel):
    return FakeService(
        ServiceConfig(
            service_command(tunnel, "1.0"), StartType.AUTOMATIC, "LocalSystem", required_privileges=KEPT_PRIVILEGES
        ),
        ServiceStatus(ServiceState.RUNNING, 4321),
    )


@pytest.fixture
def manager(service):
    netsetup = FakeService(ServiceConfig("svchost", StartType.MANUAL, "LocalSystem"))
    return FakeServiceManager(wirefleet_wf0=service, NetSetupSvc=netsetup)


def codes(*checks, fix: bool = False) -> list[str]:
    return [finding.code for finding in examine(checks, fix=fix).findings]


def fixed(*checks) -> list[tuple[str, bool]]:
    return [(finding.code, finding.is_fixed) for finding in examine(checks, fix=True).findings]


# Services


def all_service_checks(tunnel, manager):
    return [
        NetSetupIsEnabled(manager),
        ServiceIsRegistered(tunnel, manager),
        ServiceCommandIsOurs(tunnel, manager, lambda: "1.0"),
        ServiceHasFewPrivileges(tunnel, manager),
        ServiceStartsByItself(tunnel, manager),
        ServiceRuns(tunnel, manager),
    ]


def test_a_service_as_it_should_be_has_no_findings(tunnel, manager):
    assert codes(*all_service_checks(tunnel, manager)) == []


def test_a_missing_service_is_one_finding_not_five(tunnel, manager):
    del manager.services[NAME]

    assert codes(*all_service_checks(tunnel, manager)) == ["service_missing"]


def test_a_disabled_netsetup_is_enabled(manager):
    manager.services["NetSetupSvc"].config = replace(manager.config("NetSetupSvc"), start_type=StartType.DISABLED)

    assert fixed(NetSetupIsEnabled(manager)) == [("netsetup_disabled", True)]
    assert manager.calls == [("set_start_type", "NetSetupSvc", StartType.MANUAL)]


@pytest.mark.parametrize(
    ("start_type", "code"), [(StartType.DISABLED, "service_disabled"), (StartType.MANUAL, "service_manual")]
)
def test_a_service_that_does_not_start_with_the_host_will(tunnel, manager, service, start_type, code):
    service.config = replace(service.config, start_type=start_type)

    assert fixed(ServiceStartsByItself(tunnel, manager)) == [(code, True)]
    assert service.config.start_type is StartType.AUTOMATIC


def test_the_command_of_another_release_is_put_right(tunnel, manager, service):
    check = ServiceCommandIsOurs(tunnel, manager, lambda: "1.1")

    assert fixed(check) == [("service_command_wrong", True)]
    assert service.config.command == service_command(tunnel, "1.1")


def test_the_command_of_the_contract_is_quoted_and_whole():
    tunnel = Paths(Path("C:/Program Files/WireFleet")).tunnel("wf0")

    command = service_command(tunnel, "1.0").replace("\\", "/")

    assert command == (
        '"C:/Program Files/WireFleet/'
        + ("releases" if Paths(Path("C:/")).release_dir.parent == Path("C:/") else "opt/wirefleet/releases")
        + '/1.0/python.exe" -I -m wirefleet_agent --root "C:/Program Files/WireFleet" --tunnel "wf0" service'
    )


def test_where_nothing_is_installed_no_command_is_wrong(tunnel, manager):
    assert codes(ServiceCommandIsOurs(tunnel, manager, lambda: None)) == []


def test_more_privileges_than_needed_are_taken_away(tunnel, manager, service):
    service.config = replace(service.config, required_privileges=())

    assert fixed(ServiceHasFewPrivileges(tunnel, manager)) == [("service_privileges_wrong", True)]
    assert service.config.required_privileges == KEPT_PRIVILEGES


def test_a_system_that_does_not_tell_privileges_has_no_finding(tunnel, manager, service):
    service.config = replace(service.config, required_privileges=None)

    assert codes(ServiceHasFewPrivileges(tunnel, manager)) == []


def test_a_service_that_its_watchdog_ended_says_so(tunnel, manager, service):
    service.status = ServiceStatus(ServiceState.STOPPED, None, 1066, 2)

    (finding,) = ServiceRuns(tunnel, manager).find()

    assert finding.code == "service_stopped"
    assert "did not stop in time" in finding.message


@pytest.mark.parametrize("sources", [FakeEventSources(), FakeEventSources(strange={"WireFleet"})])
def test_an_event_source_that_is_missing_or_strange_is_registered(sources):
    assert fixed(EventSourceIsRegistered(sources, "WireFleet")) == [("event_source_missing", True)]
    assert sources.known == {"WireFleet"}


def test_a_registry_that_refuses_makes_no_finding_of_its_own_kind():
    sources = FakeEventSources()
    sources.fail = PermissionError(13, "Access is denied")

    assert codes(EventSourceIsRegistered(sources, "WireFleet")) == ["check_failed"]


# Adapters


def adapter(**changes: object) -> Adapter:
    return replace(Adapter("ROOT\\NET\\0000", "wf0", GUID, is_present=True, problem_code=0), **changes)


STRANGER = Adapter("ROOT\\NET\\0001", "office", adapter_guid("office"), is_present=False, problem_code=0x1C)


@pytest.mark.parametrize("code", [0x12, 0x1C, 0x34, 0x0A])
def test_an_adapter_with_a_problem_code_is_taken_away(tunnel, code):
    probe = FakeAdapters(adapter(problem_code=code), STRANGER)

    assert fixed(AdapterWorks(tunnel, probe)) == [(f"adapter_problem_{code:02x}", True)]
    assert probe.removed == ["ROOT\\NET\\0000"]


def test_a_reboot_that_is_due_is_said_and_nothing_called_fixed(tunnel):
    probe = FakeAdapters(adapter(problem_code=0x12))
    probe.fail = DriverError("Windows takes the adapter away at the next reboot", call="DiUninstallDevice")

    (finding,) = examine([AdapterWorks(tunnel, probe)], fix=True).findings

    assert not finding.is_fixed
    assert "next reboot" in finding.hint


def test_a_ghost_of_ours_is_removed_and_a_strangers_is_not(tunnel):
    probe = FakeAdapters(adapter(is_present=False), STRANGER)

    assert fixed(NoAdapterIsLeftOver(tunnel, probe, lambda: True)) == [("adapter_ghost", True)]
    assert probe.known == [STRANGER]


def test_an_adapter_that_a_running_service_has_is_not_left_over(tunnel):
    probe = FakeAdapters(adapter())

    assert codes(NoAdapterIsLeftOver(tunnel, probe, lambda: True)) == []
    assert codes(NoAdapterIsLeftOver(tunnel, probe, lambda: False)) == ["adapter_left_over"]


def test_a_ghost_without_a_guid_is_known_by_its_name(tunnel):
    probe = FakeAdapters(
        adapter(guid=None, name="WF0", is_present=False), adapter(guid=None, name="", is_present=False)
    )

    assert codes(NoAdapterIsLeftOver(tunnel, probe, lambda: True)) == ["adapter_ghost"]


def test_an_address_of_ours_on_a_dead_interface_is_released():
    helper = FakeIpHelper(1)
    other = ipaddress.ip_interface("192.0.2.9/24")
    helper.held = [(1, other), (9, ADDRESS), (9, other)]

    check = NoAddressIsStale(lambda: helper, lambda: frozenset({ADDRESS.ip}))

    assert fixed(check) == [("address_stale", True)]
    assert helper.held == [(1, other), (9, other)]


def test_our_address_on_a_living_interface_is_no_finding():
    helper = FakeIpHelper(1)
    helper.held = [(1, ADDRESS)]

    assert codes(NoAddressIsStale(lambda: helper, lambda: frozenset({ADDRESS.ip}))) == []
