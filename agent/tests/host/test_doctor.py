# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The doctor: how it examines and repairs; its checks of files, daemon and host. Windows has test_doctor_windows.py."""

from __future__ import annotations

import hashlib
import json
import socket
from pathlib import Path

import pytest
from wirefleet_agent.errors import ConfigError, DriverError, RefusedError, UnreachableError
from wirefleet_agent.host.doctor import Finding, Severity, examine
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
from wirefleet_agent.host.paths import Paths

YEAR_2026 = 1_780_000_000.0


@pytest.fixture
def tunnel(tmp_path):
    return Paths(tmp_path).tunnel("wf0")


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
