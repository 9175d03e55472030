# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tunnel_service with state=absent on Windows: nothing is left, whatever was left before."""

from __future__ import annotations

import pytest
from ansible_collections.wirefleet.wireguard.plugins.action.tunnel_service import ActionModule

ROOT = "C:\\Program Files\\WireFleet"
SERVICE = "ansible.windows.win_service"
INFO = "ansible.windows.win_service_info"
FILE = "ansible.windows.win_file"
STAT = "ansible.windows.win_stat"
REG_STAT = "ansible.windows.win_reg_stat"
REGEDIT = "ansible.windows.win_regedit"
EVENTLOG = "ansible.windows.win_eventlog"
PURGE = {"state": "absent", "purge": True}


@pytest.fixture
def untouched(host):
    host.is_windows = True
    host.modules[INFO] = {"exists": False, "services": []}
    host.modules[STAT] = {"stat": {"exists": False}}
    host.modules[REG_STAT] = {"exists": False}
    return host


@pytest.fixture
def windows(untouched):
    """A host with a running tunnel."""
    host = untouched
    release = {"version": "0.2.0", "digest": "d", "active": True}
    host.replies[("release", "list")] = {"current": "0.2.0", "previous": None, "releases": [release]}
    host.replies[("status",)] = {"running": True, "release": "0.2.0"}
    host.replies[("daemon", "stop")] = {"changed": True, "running": False, "pid": None}
    host.replies[("uninstall",)] = {"changed": True, "removed": ["adapter wf0"]}
    host.modules[INFO] = {"exists": True, "services": [{"name": "wirefleet-wf0", "state": "stopped"}]}
    host.modules[STAT] = {"stat": {"exists": True}}
    host.modules[SERVICE] = {"changed": True}
    host.modules[FILE] = {"changed": True}
    host.modules[REG_STAT] = {"exists": True, "sub_keys": []}
    host.modules[REGEDIT] = {"changed": True}
    return host


def test_everything_of_ours_goes_and_the_agent_clears_up_before_its_files_do(windows, run_action):
    result = run_action(ActionModule, PURGE)

    assert (result["changed"], result["release"], result["running"]) == (True, None, False)
    assert windows.verbs() == ["release list", "status", "daemon stop", "uninstall"]
    assert windows.modules_called()[:3] == ["win_service_info", "win_service", "win_reg_stat"]
    removed = [one["path"] for one in windows.arguments_of(FILE)]
    assert removed == [
        f"{ROOT}\\{name}"
        for name in (
            "releases",
            "current",
            "previous",
            "wirefleet-agent.cmd",
            "run",
            "staging",
            "config",
            "state",
            "logs",
        )
    ]
    assert windows.arguments_of(REGEDIT) == [{"path": "HKLM:\\SOFTWARE\\WireFleet", "state": "absent"}]
    assert windows.calls[-1].argv == ["cmd.exe", "/d", "/c", "rmdir", ROOT]


def test_keys_and_configuration_stay_without_purge(windows, run_action):
    run_action(ActionModule, {"state": "absent"})

    removed = {one["path"] for one in windows.arguments_of(FILE)}
    assert not removed & {f"{ROOT}\\config", f"{ROOT}\\state", f"{ROOT}\\logs"}
    assert windows.arguments_of(REGEDIT) == []


def test_absent_host_stays_absent_after_a_few_looks(untouched, run_action):
    assert run_action(ActionModule, PURGE)["changed"] is False
    assert untouched.modules_called() == ["win_service_info", "win_eventlog", "win_reg_stat", "win_stat"]


def test_service_whose_files_are_gone_is_stopped_and_removed(untouched, run_action):
    untouched.modules[INFO] = {"exists": True, "services": [{"name": "wirefleet-wf0", "state": "started"}]}
    untouched.modules[SERVICE] = {"changed": True}

    assert run_action(ActionModule, PURGE)["changed"] is True
    assert [one["state"] for one in untouched.arguments_of(SERVICE)] == ["stopped", "absent"]


def test_files_whose_service_is_gone_are_removed(windows, run_action):
    windows.modules[INFO] = {"exists": False, "services": []}
    windows.replies[("status",)] = {"running": False, "release": None}

    run_action(ActionModule, PURGE)

    assert windows.arguments_of(SERVICE) == []
    assert len(windows.arguments_of(FILE)) == 9


def test_damaged_agent_does_not_hold_up_its_removal(windows, run_action):
    broken = {"raw": {"rc": 1, "stdout": "", "stderr": "ImportError: no module", "failed": True, "msg": "non-zero"}}
    windows.replies = {("release", "list"): broken, ("uninstall",): broken}

    result = run_action(ActionModule, PURGE)

    assert result["changed"] is True
    assert windows.arguments_of(EVENTLOG) == [{"name": "Application", "sources": ["WireFleet"], "state": "absent"}]


def test_agent_that_refuses_to_clear_up_is_heard(windows, run_action):
    windows.replies[("uninstall",)] = {"error": {"code": "refused", "message": "process 7 serves this tunnel"}}

    assert run_action(ActionModule, PURGE)["error"]["code"] == "refused"
    assert windows.arguments_of(FILE) == []


def test_service_of_another_tunnel_with_a_like_name_is_left_alone(untouched, run_action):
    untouched.modules[INFO] = {"exists": True, "services": [{"name": "wirefleet-wf01", "state": "started"}]}

    assert run_action(ActionModule, PURGE)["changed"] is False
    assert untouched.arguments_of(SERVICE) == []


def test_file_in_use_is_tried_again_for_a_while(windows, run_action):
    busy = {"failed": True, "msg": "Failed to delete python.exe: it is being used by another process"}
    windows.modules[FILE] = [busy, busy, *[{"changed": True}] * 9]

    assert run_action(ActionModule, PURGE)["changed"] is True
    assert windows.slept == [2.0, 2.0]


def test_file_in_use_for_ever_is_named(windows, run_action):
    windows.modules[FILE] = {"failed": True, "msg": "Access to the path is denied"}

    error = run_action(ActionModule, PURGE)["error"]

    assert (error["code"], error["path"]) == ("in_use", f"{ROOT}\\releases")
    assert sum(windows.slept) == 10.0


def test_what_av_exclusions_has_to_remember_stays(windows, run_action):
    windows.modules[REG_STAT] = {"exists": True, "sub_keys": ["AvExclusions"]}

    run_action(ActionModule, PURGE)

    assert windows.arguments_of(REGEDIT) == []


def test_check_mode_says_what_would_go_and_removes_nothing(windows, run_action):
    result = run_action(ActionModule, PURGE, check_mode=True)

    assert result["changed"] is True
    assert all(call.check_mode for call in windows.calls if not call.module.endswith("command"))
    assert windows.verbs() == ["release list", "status", "--check uninstall"]


def test_check_mode_bears_that_the_tunnel_still_runs(windows, run_action):
    windows.replies[("uninstall",)] = {"error": {"code": "refused", "message": "process 7 serves this tunnel"}}

    result = run_action(ActionModule, PURGE, check_mode=True)

    assert "failed" not in result
    assert result["changed"] is True
