# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Each check of the doctor on a healthy host and on one with its failure; and what repairs leave."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from support.windows_host import FakeAdapters, FakeEventSources, FakeIpHelper, FakeService, FakeServiceManager
from wirefleet_agent.drivers.tun_windows import adapter_guid
from wirefleet_agent.errors import ConfigError, DriverError, RefusedError, UnreachableError
from wirefleet_agent.host.adapters import Adapter
from wirefleet_agent.host.doctor import Finding, Severity, examine
from wirefleet_agent.host.doctor._adapters import AdapterWorks, NoAdapterIsLeftOver, NoAddressIsStale
from wirefleet_agent.host.doctor._daemon import LastRestartWorked, PortIsFree, PrivilegesAreDropped, TunnelIsUp
from wirefleet_agent.host.doctor._files import (
    ConfigurationIsValid,
    CurrentReleaseExists,
    KeyExists,
    RightsAreExact,
    WintunIsPinned,
)
from wirefleet_agent.host.doctor._findings import CheckOnly
from wirefleet_agent.host.doctor._host import ClockIsPlausible, FastStartupIsOff, TunDeviceExists, newest_change
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
YEAR_2026 = 1_780_000_000.0
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


# The examination


class Broken:
    """A check with one finding; ``fix`` works as often as it is told to."""

    def __init__(self, *, works: bool = True, error: DriverError | None = None) -> None:
        self.is_broken = True
        self.works = works
        self.error = error

    def find(self):
        return [Finding("broken", Severity.ERROR, "it is broken", "fix it", is_fixable=True)] if self.is_broken else []

    def fix(self, finding):
        if self.error is not None:
            raise self.error
        self.is_broken = not self.works


class CannotTell(CheckOnly):
    def find(self):
        raise DriverError("access is denied", call="open", hint="run as an administrator")


def test_without_findings_a_host_is_healthy():
    assert examine([], fix=True).is_healthy


def test_an_error_is_not_healthy_until_it_is_repaired():
    assert not examine([Broken()], fix=False).is_healthy
    assert examine([Broken()], fix=True).is_healthy


def test_a_repair_counts_only_if_the_second_look_agrees():
    found = examine([Broken(works=False)], fix=True)

    assert not found.is_healthy
    assert not found.findings[0].is_fixed


def test_a_repair_that_fails_says_why_and_the_next_check_goes_on():
    found = examine([Broken(error=DriverError("no", call="remove")), Broken()], fix=True)

    assert [each.is_fixed for each in found.findings] == [False, True]
    assert found.findings[0].hint == "the repair failed: no"


def test_a_check_that_cannot_tell_is_a_warning():
    (finding,) = examine([CannotTell()], fix=True).findings

    assert (finding.code, finding.severity) == ("check_failed", Severity.WARNING)
    assert finding.message == "CannotTell cannot tell: access is denied"


def test_a_finding_in_json_has_the_fields_of_the_contract():
    assert Broken().find()[0].as_dict() == {
        "code": "broken",
        "severity": "error",
        "message": "it is broken",
        "hint": "fix it",
        "fixable": True,
        "fixed": False,
    }


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


# Files


def test_a_stored_configuration_is_parsed(tunnel):
    assert codes(ConfigurationIsValid(tunnel, lambda: ("[Interface]\nAddress = 10.9.0.1/24\n", "schema = 1\n"))) == []
    assert codes(ConfigurationIsValid(tunnel, lambda: ("[Interface]\nPostUp = x\n", ""))) == ["config_invalid"]
    assert codes(ConfigurationIsValid(tunnel, lambda: (None, ""))) == ["config_missing"]


@pytest.mark.parametrize("error", [ConfigError("this is no text"), RefusedError("others may read this secret file")])
def test_a_configuration_that_cannot_be_read_is_invalid(tunnel, error):
    def stored():
        raise error

    (finding,) = ConfigurationIsValid(tunnel, stored).find()

    assert (finding.code, finding.message) == ("config_invalid", error.message)


def test_a_missing_key_is_named(tunnel):
    assert codes(KeyExists(tunnel)) == ["key_missing"]

    tunnel.private_key.parent.mkdir(parents=True)
    tunnel.private_key.touch()

    assert codes(KeyExists(tunnel)) == []


def test_a_pointer_to_a_release_that_is_gone_is_named(tmp_path):
    (tmp_path / "1.0").mkdir()

    assert codes(CurrentReleaseExists(tmp_path, lambda: "1.0")) == []
    assert codes(CurrentReleaseExists(tmp_path, lambda: None)) == []
    assert codes(CurrentReleaseExists(tmp_path, lambda: "0.9")) == ["release_missing"]


def test_a_wintun_that_is_not_the_releases_own_is_named(tmp_path):
    check = WintunIsPinned(lambda: tmp_path)
    record = tmp_path / "release.json"
    seen = [codes(check)]
    record.write_text(json.dumps({"wintun_sha256": hashlib.sha256(b"dll").hexdigest().upper()}))
    seen.append(codes(check))
    (tmp_path / "wintun.dll").write_bytes(b"other")
    seen.append(codes(check))
    (tmp_path / "wintun.dll").write_bytes(b"dll")
    seen.append(codes(check))

    assert seen == [["wintun_not_pinned"], ["wintun_missing"], ["wintun_altered"], []]


def test_rights_that_drifted_are_put_right_together():
    drifted = [Path("keys"), Path("logs")]

    def secure(*, check: bool):
        found = list(drifted)
        if not check:
            drifted.clear()
        return found

    assert fixed(RightsAreExact(secure)) == [("rights_drifted", True), ("rights_drifted", True)]


def test_a_file_of_a_stranger_is_not_taken_over():
    def secure(*, check: bool):
        raise RefusedError("this belongs to user 1000", path="keys")

    assert fixed(RightsAreExact(secure)) == [("file_foreign", False)]


# The daemon


def test_what_the_daemon_complains_of_is_a_finding():
    error = {"message": "port taken", "path": "UDP 51820", "hint": "stop the other"}

    (finding,) = TunnelIsUp(lambda: {"error": error}).find()

    assert (finding.code, finding.hint) == ("tunnel_not_applied", "stop the other")
    assert finding.message.endswith("UDP 51820: port taken")


def test_a_daemon_that_is_silent_or_absent_is_told_apart():
    def silent():
        raise UnreachableError("the daemon did not answer within 5 s")

    assert codes(TunnelIsUp(silent)) == ["daemon_silent"]
    assert codes(PrivilegesAreDropped(silent)) == []
    assert codes(TunnelIsUp(lambda: None)) == ["daemon_not_running"]
    assert codes(TunnelIsUp(lambda: {"error": None})) == []


def test_privileges_that_stayed_are_named():
    status = {"process": {"surplus_privileges": ["SeTcbPrivilege"]}}

    (finding,) = PrivilegesAreDropped(lambda: status).find()

    assert finding.code == "privileges_held"
    assert "SeTcbPrivilege" in finding.message


def test_a_restart_that_failed_is_remembered():
    failed = {"id": "a", "state": "failed", "error": {"message": "the service ended at once"}}

    assert codes(LastRestartWorked(lambda: failed)) == ["restart_failed"]
    assert codes(LastRestartWorked(lambda: {"id": "a", "state": "done", "error": None})) == []
    assert codes(LastRestartWorked(lambda: None)) == []


@pytest.fixture
def taken_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        yield other.getsockname()[1]


def test_a_port_that_another_process_has_is_named(taken_port):
    assert codes(PortIsFree(lambda: taken_port, lambda: None)) == ["port_taken"]


def test_a_port_that_the_daemon_itself_has_is_not_taken(taken_port):
    status = {"interface": {"is_up": True}, "listen_port": taken_port}

    assert codes(PortIsFree(lambda: taken_port, lambda: status)) == []
    assert codes(PortIsFree(lambda: None, lambda: None)) == []


# The host


def test_a_clock_that_was_set_back_or_runs_ahead_is_named():
    assert codes(ClockIsPlausible(lambda: YEAR_2026, lambda: YEAR_2026 - 60)) == []
    assert codes(ClockIsPlausible(lambda: YEAR_2026, lambda: None)) == []
    assert codes(ClockIsPlausible(lambda: 0.0, lambda: YEAR_2026)) == ["clock_wrong"]
    assert codes(ClockIsPlausible(lambda: 2.5 * YEAR_2026, lambda: YEAR_2026)) == ["clock_wrong"]


def test_fast_startup_is_a_warning_and_silence_about_it_is_none():
    assert codes(FastStartupIsOff(lambda: True)) == ["fast_startup_on"]
    assert codes(FastStartupIsOff(lambda: False)) == []
    assert codes(FastStartupIsOff(lambda: None)) == []


def test_a_missing_tun_device_is_named(tmp_path):
    assert codes(TunDeviceExists(tmp_path / "tun")) == ["tun_device_missing"]
    assert codes(TunDeviceExists(tmp_path)) == []


def test_the_newest_change_is_that_of_the_youngest_file(tmp_path):
    assert newest_change(tmp_path / "none") is None
    assert newest_change(tmp_path / "none", tmp_path) == tmp_path.stat().st_mtime
