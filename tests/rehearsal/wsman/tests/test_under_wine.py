# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only Wine can show: real programs, a real control manager with a real service, a real registry."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from wirefleet_rehearsal import toolchain
from wirefleet_rehearsal.host import WineHost
from wirefleet_wsman.host import Host
from wirefleet_wsman.powershell import ModuleCall
from wirefleet_wsman.processes import ProcessScope
from wirefleet_wsman.runner import run_module

pytestmark = [pytest.mark.rehearsal, pytest.mark.slow]

SCRIPT = "Z:" + str(Path(__file__).resolve().with_name("python_service.py")).replace("/", "\\")
NAME = "wirefleet-上海-01"
SERVICE = {
    "name": NAME,
    "path": f'"{toolchain.PYTHON}" "{SCRIPT}"',
    "display_name": "WireFleet tunnel 上海-01",
    "description": "a tunnel",
    "start_mode": "delayed",
    "dependencies": ["Nsi", "TcpIp"],
    "failure_actions": [{"type": "restart", "delay_ms": 500}],
    "required_privileges": ["SeLoadDriverPrivilege"],
    "state": "started",
}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WineHost]:
    machine = WineHost("wsman", tmp_path_factory.mktemp("wine"), None, cpu=0)
    try:
        machine.build()
        toolchain.install(machine)
        machine.boot()
        yield machine
    finally:
        machine.remove()


@pytest.fixture
def windows(machine: WineHost, tmp_path: Path) -> Iterator[Host]:
    windows = Host(machine.prefix, tmp_path / "state", "HUB-1")
    yield windows
    windows.close()


@pytest.fixture
def module(windows: Host):
    def call(name, /, **arguments):
        request = ModuleCall(f"ansible.windows.{name}", arguments, {}, None)
        return run_module(windows, request, ProcessScope())

    yield call
    call("win_service", name=NAME, state="absent")


def ok(result):
    assert not result.get("failed"), result
    return result


def info(module):
    [service] = ok(module("win_service_info", name=NAME))["services"]
    return service


def test_windows_programs_run_with_their_arguments_input_and_exit_code(module):
    code = "import sys; print(ascii(sys.argv[1:]), sys.stdin.read()); sys.exit(3)"

    result = module("win_command", argv=[toolchain.PYTHON, "-c", code, "a b", 'c"d', "上海"], stdin="in")

    assert (result["rc"], result["msg"]) == (3, "non-zero return code")
    assert result["stdout"] == "['a b', 'c\"d', '\\u4e0a\\u6d77'] in\r\n"
    assert "Windows" in ok(module("win_command", _raw_params="cmd.exe /c ver"))["stdout"]
    count = [toolchain.PYTHON, "-c", "import sys; print(len(sys.stdin.read()))"]
    assert ok(module("win_command", argv=count, stdin="x" * 70_000))["stdout"].strip() == "70000"


def test_a_real_service_is_made_once_changed_and_removed(module, machine):
    # Wine's sc.exe prints names of other scripts only up to their first letter.
    service = {**SERVICE, "name": "wirefleet-wf0"}
    made = ok(module("win_service", **service))

    assert (made["changed"], made["state"]) == (True, "running")
    assert "RUNNING" in machine.execute("sc.exe", "query", "wirefleet-wf0").stdout
    assert not ok(module("win_service", **service))["changed"]
    changed = ok(
        module("win_service", name="wirefleet-wf0", path="C:\\other.exe", display_name="x", start_mode="manual")
    )
    assert changed["changed"]
    [shown] = module("win_service_info", name="wirefleet-wf0")["services"]
    assert (shown["path"], shown["start_mode"]) == ("C:\\other.exe", "manual")
    assert ok(module("win_service", name="wirefleet-wf0", state="absent"))["changed"]
    assert "RUNNING" not in machine.execute("sc.exe", "query", "wirefleet-wf0").stdout
    assert not ok(module("win_service", name="wirefleet-wf0", state="absent"))["changed"]


def test_a_real_service_that_is_killed_is_started_again(module, machine):
    ok(module("win_service", **SERVICE))
    first = info(module)["process_id"]

    [process] = machine.pids_of(["python_service.py"])
    os.kill(process, signal.SIGKILL)

    deadline = time.monotonic() + 60
    while info(module)["process_id"] in (0, first) or info(module)["state"] != "started":
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_restart_on_purpose_is_no_failure(module, windows):
    ok(module("win_service", **SERVICE))

    ok(module("win_service", name=NAME, state="restarted"))

    time.sleep(1.5)
    assert '"failed": true' not in (windows.state.directory / "trace.jsonl").read_text()


def test_drift_made_by_windows_own_tools_is_seen(module, machine):
    ok(module("win_service", **SERVICE))
    ok(module("win_service", name=NAME, state="stopped"))
    machine.execute("sc.exe", "delete", NAME)

    assert not module("win_service_info", name=NAME)["exists"]
    assert ok(module("win_service", **SERVICE))["changed"]


def test_registry_values_are_those_that_windows_own_tools_show(module, machine):
    key = {"path": "HKLM:\\Software\\WireFleet"}

    assert ok(module("win_regedit", **key, name="n", data=7, type="dword"))["changed"]
    assert "0x7" in machine.execute("reg.exe", "query", "HKLM\\Software\\WireFleet", "/v", "n").stdout
    assert not ok(module("win_regedit", **key, name="n", data=7, type="dword"))["changed"]
    machine.execute("reg.exe", "add", "HKLM\\Software\\WireFleet", "/v", "n", "/t", "REG_DWORD", "/d", "8", "/f")
    assert module("win_reg_stat", **key, name="n")["value"] == 8
    for kind, data in (("multistring", ["a", "上海"]), ("binary", "be,ef"), ("expandstring", "%TEMP%"), ("qword", 1)):
        assert ok(module("win_regedit", **key, name=kind, data=data, type=kind))["changed"]
        assert not ok(module("win_regedit", **key, name=kind, data=data, type=kind))["changed"]
    assert ok(module("win_regedit", **key, state="absent"))["changed"]
    assert not module("win_reg_stat", **key)["exists"]
