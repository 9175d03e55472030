# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The real service, started by a real service control manager: of Windows, or of Wine in the rehearsal.

Needs the rights to register services. The releases' folder is not there, so the service has no wintun.dll: it serves
all the same and says why there is no tunnel.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid

import pytest
import wirefleet_agent

if sys.platform == "win32":
    import win32service
    from wirefleet_agent.host.control_client import control_of
    from wirefleet_agent.host.daemon_windows import WindowsDaemon
    from wirefleet_agent.host.paths import Paths
    from wirefleet_agent.host.process_windows import KEPT_PRIVILEGES
    from wirefleet_agent.host.service_manager import ExitCode, ServiceState, service_name
    from wirefleet_agent.host.win32.scm import WindowsServiceManager

pytestmark = [pytest.mark.windows_only, pytest.mark.slow]

SOURCE = os.path.dirname(os.path.dirname(wirefleet_agent.__file__))
MAIN = """
import sys, time
sys.path.insert(0, {source!r})
from wirefleet_agent.host import cli, restart, service, service_windows
restart.PROGRAM = ("-I", __file__)
{patch}
sys.exit(cli.main())
"""
HANGS_AT_THE_END = """
service.TunnelService.stop = lambda self: time.sleep(600)
service_windows.STOP_TIMEOUT_S = 3.0
"""
CONF = "[Interface]\nListenPort = 0\nAddress = 10.9.0.1/24\n"


class Registered:
    """A service on a root of its own; ``main``: the script that it runs."""

    def __init__(self, root, patch: str = "") -> None:
        self.tunnel = Paths(root).tunnel(f"wf-{uuid.uuid4().hex[:6]}")
        self.name = service_name(self.tunnel.name)
        self.main = root / "main.py"
        root.mkdir(exist_ok=True)
        self.main.write_text(MAIN.format(source=SOURCE, patch=patch), encoding="utf-8")
        self.manager = WindowsServiceManager()
        self.client = control_of(self.tunnel, timeout_s=10.0)
        self.daemon = WindowsDaemon(self.tunnel, self.manager, self.client)

    def words(self, *words: str) -> list[str]:
        return [
            sys.executable,
            "-I",
            str(self.main),
            "--root",
            str(self.tunnel.host.root),
            "--tunnel",
            self.tunnel.name,
            *words,
        ]

    def agent(self, *words: str, request: object = None) -> dict[str, object]:
        """One call of the command line in a process of its own."""
        text = "" if request is None else json.dumps(request)
        done = subprocess.run(self.words("--json", *words), input=text, capture_output=True, text=True, timeout=120)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def __enter__(self) -> Registered:
        manager = win32service.OpenSCManager(None, None, win32service.SC_MANAGER_ALL_ACCESS)
        command = subprocess.list2cmdline(self.words("service"))
        handle = win32service.CreateService(
            manager,
            self.name,
            f"WireFleet test {self.tunnel.name}",
            win32service.SERVICE_ALL_ACCESS,
            win32service.SERVICE_WIN32_OWN_PROCESS,
            win32service.SERVICE_DEMAND_START,
            win32service.SERVICE_ERROR_NORMAL,
            command,
            None,
            0,
            None,
            None,
            None,
        )
        win32service.CloseServiceHandle(handle)
        win32service.CloseServiceHandle(manager)
        return self

    def __exit__(self, *_error: object) -> None:
        self.daemon.stop(timeout_s=60)
        manager = win32service.OpenSCManager(None, None, win32service.SC_MANAGER_ALL_ACCESS)
        handle = win32service.OpenService(manager, self.name, win32service.SERVICE_ALL_ACCESS)
        win32service.DeleteService(handle)
        win32service.CloseServiceHandle(handle)
        win32service.CloseServiceHandle(manager)

    @property
    def log(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.tunnel.log.read_text(encoding="utf-8").splitlines()]

    def events(self) -> list[object]:
        return [line["event"] for line in self.log]


@pytest.fixture
def registered(tmp_path):
    with Registered(tmp_path / "root") as service:
        yield service


def test_the_service_starts_answers_on_its_pipe_and_stops(registered):
    started = registered.daemon.start(wait_s=None)
    status = registered.client.call("status")
    stopped = registered.daemon.stop()

    assert started == {"changed": True, "running": True, "pid": status["pid"]}
    assert status["pid"] != os.getpid()
    assert status["running"] is True
    assert stopped == {"changed": True, "running": False, "pid": None}
    assert registered.manager.status(registered.name).exit_code == 0
    assert registered.events()[-1] == "service_stopped"


def test_the_manager_hears_from_the_process_before_most_of_it_is_loaded():
    """It waits 30 s, and a host that boots reads slowly."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from wirefleet_agent.host import cli; cli._parser(); import wirefleet_agent.host.win32.scm;"
        "print(*(name for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program, SOURCE], capture_output=True, text=True, check=True)

    heavy = {"structlog", "dishka", "wirefleet_agent.engine", "wirefleet_agent.drivers", "wirefleet_agent.host.wiring"}
    assert heavy & set(done.stdout.split()) == set()


def test_the_running_process_holds_two_privileges_by_its_own_token(registered):
    registered.daemon.start(wait_s=None)

    process = registered.client.call("status")["process"]

    assert set(process["privileges"]) <= set(KEPT_PRIVILEGES)
    assert process["surplus_privileges"] == []
    assert process["user"]
    dropped = next(line for line in registered.log if line["event"] == "privileges_dropped")
    assert dropped["dropped"] > 0
    assert registered.events().index("privileges_dropped") < registered.events().index("service_started")


def test_a_service_that_cannot_make_its_adapter_serves_and_says_why(registered):
    registered.agent("key", "ensure")
    registered.agent("config", "apply", request={"conf": CONF, "toml": "schema = 1\n", "confirm_timeout_s": 0})

    registered.daemon.start(wait_s=None)

    error = registered.client.call("status")["error"]
    assert "wintun" in error["message"]
    assert registered.agent("status")["error"] == error
    codes = {each["code"] for each in registered.agent("doctor")["findings"]}
    assert "tunnel_not_applied" in codes


def test_a_stop_that_hangs_is_ended_by_the_watchdog_with_a_code_of_its_own(tmp_path):
    with Registered(tmp_path / "root", HANGS_AT_THE_END) as service:
        service.daemon.start(wait_s=None)

        service.daemon.stop(timeout_s=20)

        status = service.manager.status(service.name)
        assert status.state is ServiceState.STOPPED
        assert (status.exit_code, status.specific_exit_code) == (1066, ExitCode.STOP_HUNG)
        assert service.events()[-1] == "service_stop_hung"


def test_a_detached_restart_is_on_record_and_in_the_status(registered):
    before = registered.daemon.start(wait_s=None)

    reply = registered.agent("daemon", "restart", "--detach")

    outcome = await_outcome(registered, reply["restart_id"])
    assert outcome == {"id": reply["restart_id"], "state": "done", "error": None}
    assert registered.client.call("status")["pid"] != before["pid"]
    assert "restart_ordered" in registered.events()  # the service did it, outside of any job of the caller


def test_a_console_cannot_take_the_place_of_the_manager(registered):
    reply = registered.agent("service")

    assert reply["error"]["code"] == "refused"
    assert "service control manager" in reply["error"]["message"]


def await_outcome(service: Registered, restart_id: object) -> object:
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        outcome = service.agent("status")["restart"]
        if outcome and outcome["id"] == restart_id and outcome["state"] != "running":
            return outcome
        time.sleep(0.2)
    raise AssertionError("the restart did not come to its end")
