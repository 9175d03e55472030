# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""win_service and win_service_info against a small control manager; recovery of killed services."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

SERVICE = {
    "name": "wirefleet-上海-01",
    "path": '"%ProgramFiles%\\WireFleet\\python.exe" -I -m agent "上海 01"',
    "display_name": "WireFleet tunnel 上海-01",
    "description": "a tunnel",
    "start_mode": "delayed",
    "dependencies": ["Nsi", "TcpIp"],
    "required_privileges": ["SeChangeNotifyPrivilege", "SeLoadDriverPrivilege"],
    "sid_info": "unrestricted",
    "failure_actions": [{"type": "restart", "delay_ms": 200}, {"type": "restart", "delay_ms": 60000}],
    "failure_reset_period_sec": 86400,
    "pre_shutdown_timeout_ms": 30000,
    "state": "started",
}
NAME = SERVICE["name"]


def ok(result):
    assert not result.get("failed"), result["msg"]
    return result


def info(module):
    [service] = ok(module("win_service_info", name=NAME))["services"]
    return service


def wait_until(claim, timeout_s=10.0):
    deadline = time.monotonic() + timeout_s
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_service_is_made_whole_and_once(module):
    made = ok(module("win_service", **SERVICE))
    assert (made["changed"], made["exists"], made["state"], made["username"]) == (True, True, "running", "LocalSystem")
    assert not ok(module("win_service", **SERVICE))["changed"]

    shown = info(module)

    assert shown["path"] == '"C:\\Program Files\\WireFleet\\python.exe" -I -m agent "上海 01"'
    for key in set(SERVICE) - {"path"}:
        assert shown[key] == SERVICE[key]
    assert shown["process_id"] > 0


def test_check_mode_shows_the_difference_and_makes_nothing(module):
    shown = ok(module("win_service", **SERVICE, check=True))

    assert (shown["changed"], shown["diff"]["before"]) == (True, "")
    assert shown["diff"]["after"]["start_mode"] == "delayed"
    assert shown["diff"]["after"]["password"] == "REDACTED"
    assert not module("win_service_info", name=NAME)["exists"]


@pytest.mark.parametrize(
    "change",
    [
        {"path": "C:\\other.exe"}, {"description": "other"}, {"start_mode": "manual"}, {"sid_info": "none"},
        {"required_privileges": ["SeLoadDriverPrivilege"]}, {"failure_actions": []}, {"dependencies": ["Nsi"]},
        {"pre_shutdown_timeout_ms": 1000}, {"username": "LocalService"}, {"state": "stopped"}, {"description": ""},
    ],
)  # fmt: skip
def test_every_setting_changes_once_and_not_in_check_mode(module, change):
    module("win_service", **SERVICE)

    assert ok(module("win_service", **{**SERVICE, **change}, check=True))["changed"]
    assert not ok(module("win_service", **SERVICE))["changed"]
    assert ok(module("win_service", **{**SERVICE, **change}))["changed"]
    assert not ok(module("win_service", **{**SERVICE, **change}))["changed"]


def test_order_of_dependencies_and_privileges_is_no_change(module):
    module("win_service", **SERVICE)

    assert not ok(module("win_service", name=NAME, dependencies=["TcpIp", "Nsi"]))["changed"]
    assert not ok(module("win_service", name=NAME, required_privileges=SERVICE["required_privileges"][::-1]))["changed"]
    assert ok(module("win_service", name=NAME, dependencies=["Afd"], dependency_action="add"))["changed"]
    assert info(module)["dependencies"] == ["Nsi", "TcpIp", "Afd"]


def test_drift_in_the_control_manager_is_seen_and_repaired(module, prefix):
    module("win_service", **SERVICE)
    inside = json.loads((prefix / "inside.json").read_text())
    inside["services"][NAME.casefold()]["path"] = "C:\\somewhere\\else.exe"
    (prefix / "inside.json").write_text(json.dumps(inside))

    assert ok(module("win_service", **SERVICE))["changed"]
    assert info(module)["path"].startswith('"C:\\Program Files')


def test_a_removed_service_leaves_no_record(module, host):
    module("win_service", **SERVICE)

    assert ok(module("win_service", name=NAME, state="absent", check=True))["changed"]
    assert module("win_service_info", name=NAME)["exists"]
    assert ok(module("win_service", name=NAME, state="absent"))["changed"]
    assert not ok(module("win_service", name=NAME, state="absent"))["changed"]
    assert host.state.read("services") == {}


def test_a_service_that_others_depend_on_is_stopped_only_by_force(module):
    module("win_service", **{**SERVICE, "name": "base", "display_name": "base", "dependencies": []})
    module("win_service", **{**SERVICE, "dependencies": ["base"]})

    assert "dependent services" in module("win_service", name="base", state="stopped")["msg"]
    assert ok(module("win_service", name="base", state="stopped", force_dependent_services=True))["changed"]
    assert info(module)["state"] == "stopped"


def test_errors_are_those_of_the_real_module(module):
    assert "need to set 'path'" in module("win_service", name="none", state="started")["msg"]
    assert not module("win_service", name="none")["exists"]
    module("win_service", **{**SERVICE, "state": "stopped"})
    assert "does not support pausing" in module("win_service", name=NAME, state="paused")["msg"]
    broken = module("win_service", **{**SERVICE, "path": "C:\\broken.exe"})
    assert "did not respond" in broken["msg"]


def test_a_killed_service_is_restarted_as_its_failure_actions_say(module, host):
    module("win_service", **SERVICE)
    first = info(module)["process_id"]

    os.kill(first, signal.SIGKILL)
    wait_until(lambda: info(module)["process_id"] not in (0, first))
    os.kill(info(module)["process_id"], signal.SIGKILL)
    wait_until(lambda: '"delay_s": 60.0' in (host.state.directory / "trace.jsonl").read_text())

    assert info(module)["state"] == "stopped"


def test_a_stopped_service_is_not_brought_back_by_a_recovery_that_was_due(module, host):
    slow = {**SERVICE, "failure_actions": [{"type": "restart", "delay_ms": 700}]}
    module("win_service", **slow)
    os.kill(info(module)["process_id"], signal.SIGKILL)
    wait_until(lambda: "service ended" in (host.state.directory / "trace.jsonl").read_text())

    host.supervisor.cancel(NAME)

    time.sleep(1.0)
    assert info(module)["state"] == "stopped"


def test_what_wine_cannot_show_is_reported(module, host):
    module("win_service", **SERVICE)

    reported = "\n".join(host.state.read("not_shown")["service"])

    assert "required_privileges is recorded" in reported
    assert "failure_actions is played by the rehearsal" in reported
    assert "delayed start" in reported
    assert "path" not in reported
