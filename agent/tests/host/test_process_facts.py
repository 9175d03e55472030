# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import sys

import pytest
from structlog.testing import capture_logs
from support.windows_host import SERVICE_SID, FakeToken
from wirefleet_agent.errors import DriverError
from wirefleet_agent.host.process_windows import KEPT_PRIVILEGES, WindowsProcess
from wirefleet_agent.observe import get_logger

if sys.platform != "win32":
    from wirefleet_agent.host.process_linux import LinuxProcess, capability_names


def test_a_service_keeps_two_privileges_and_the_report_reads_them_back():
    token = FakeToken()
    process = WindowsProcess(token)

    process.drop_privileges(get_logger("test"))

    assert token.held == set(KEPT_PRIVILEGES)
    assert process.report().as_dict() == {
        "user": "NT AUTHORITY\\SYSTEM",
        "sids": [SERVICE_SID],
        "privileges": ["SeChangeNotifyPrivilege", "SeLoadDriverPrivilege"],
        "surplus_privileges": [],
        "mode": "single_process",
    }


def test_a_privilege_that_stays_is_logged_and_reported():
    process = WindowsProcess(FakeToken(sticky={"SeTcbPrivilege"}))

    with capture_logs() as logs:
        process.drop_privileges(get_logger("test"))

    assert logs == [
        {"event": "privileges_not_dropped", "log_level": "error", "privileges": ["SeTcbPrivilege"], "room": "test"}
    ]
    assert process.report().surplus_privileges == ("SeTcbPrivilege",)


def test_a_system_that_refuses_leaves_all_of_them_as_surplus():
    token = FakeToken()
    token.fail = PermissionError(13, "Access is denied")
    process = WindowsProcess(token)

    with capture_logs() as logs:
        process.drop_privileges(get_logger("test"))

    assert logs[0]["event"] == "privileges_not_dropped"
    assert process.report().surplus_privileges == ("SeDebugPrivilege", "SeTcbPrivilege")


def test_what_runs_in_the_foreground_has_no_surplus():
    assert WindowsProcess(FakeToken()).report().surplus_privileges == ()


@pytest.mark.linux_only
def test_capabilities_have_their_names():
    assert capability_names(1 << 12 | 1 << 10) == ("cap_net_bind_service", "cap_net_admin")
    assert capability_names(1 << 63) == ("cap_63",)
    assert capability_names(0) == ()


@pytest.mark.linux_only
def test_linux_tells_the_user_and_the_effective_capabilities(tmp_path):
    process = LinuxProcess()
    process.status = tmp_path / "status"
    process.status.write_text("Name:\tpython\nCapPrm:\tffffffffffffffff\nCapEff:\t0000000000001000\n")

    report = process.report()

    assert report.privileges == ("cap_net_admin",)
    assert report.user


@pytest.mark.linux_only
def test_a_status_that_cannot_be_read_is_a_driver_error(tmp_path):
    process = LinuxProcess()
    process.status = tmp_path / "none"

    with pytest.raises(DriverError, match="No such file"):
        process.report()
