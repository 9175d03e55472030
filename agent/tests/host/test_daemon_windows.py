# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import json
import sys

import pytest
from support.windows_host import FakeService, FakeServiceManager
from wirefleet_agent.errors import DriverError, RefusedError, UnreachableError
from wirefleet_agent.host.control_client import ControlClient
from wirefleet_agent.host.daemon_windows import WindowsDaemon, spawn_from_service
from wirefleet_agent.host.paths import WINDOWS_LAYOUT, Paths, TunnelPaths
from wirefleet_agent.host.restart import RestartOrder
from wirefleet_agent.host.service_manager import ServiceConfig, ServiceState, ServiceStatus, StartType

CONFIG = ServiceConfig("command", StartType.AUTOMATIC, "LocalSystem")
RUNNING = ServiceStatus(ServiceState.RUNNING, 4321)
ORDER = RestartOrder("0123456789abcdef", 30.0, True)
BREAKAWAY = 0x01000000


class Pipe:
    """A ControlTransport: ``replies`` by verb; a verb without one, or a service that does not run: nobody."""

    address = "pipe"

    def __init__(self, manager: FakeServiceManager) -> None:
        self.manager = manager
        self.replies: dict[str, object] = {"ping": {"running": True, "is_configured": True}}
        self.errors: dict[str, object] = {}
        self.error: Exception | None = None
        self.asked: list[tuple[str, object]] = []

    def exchange(self, message: bytes, timeout_s: float) -> bytes | None:
        if self.error is not None:
            raise self.error
        request = json.loads(message)
        self.asked.append((request["verb"], request["request"]))
        status = self.manager.services["wirefleet-wf0"].status
        if request["verb"] in self.errors:
            return json.dumps({"error": self.errors[request["verb"]]}).encode() + b"\n"
        if status.state is not ServiceState.RUNNING or request["verb"] not in self.replies:
            return None
        return json.dumps({"reply": self.replies[request["verb"]]}).encode() + b"\n"


class Host:
    def __init__(self, root) -> None:
        self.service = FakeService(CONFIG)
        self.manager = FakeServiceManager(wirefleet_wf0=self.service)
        self.pipe = Pipe(self.manager)
        self.tunnel = Paths(root).tunnel("wf0")
        self.daemon = WindowsDaemon(self.tunnel, self.manager, ControlClient(self.pipe))
        self.now_s = 0.0
        self.daemon.clock = lambda: self.now_s
        self.daemon.sleep = self.sleep
        self.spawned: list[tuple[list[str], int]] = []
        self.refusals: list[OSError] = []
        self.daemon.run_detached = self.run_detached

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def run_detached(self, command, flags: int) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.spawned.append((list(command), flags))


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def access_denied() -> OSError:
    error = PermissionError(13, "Access is denied")
    error.winerror = 5
    return error


def test_a_stopped_service_is_started_and_answers(host):
    assert host.daemon.start(wait_s=None) == {"changed": True, "running": True, "pid": 4321}
    assert host.manager.calls == [("start", "wirefleet-wf0")]


def test_a_running_service_is_left_alone(host):
    host.service.status = RUNNING

    assert host.daemon.start(wait_s=None) == {"changed": False, "running": True, "pid": 4321}
    assert host.manager.calls == []


def test_a_service_that_is_stopping_is_waited_for_and_started(host):
    host.service.status = ServiceStatus(ServiceState.STOP_PENDING, 99)

    assert host.daemon.start(wait_s=None)["changed"]
    assert host.manager.calls == [("start", "wirefleet-wf0")]


def test_check_mode_only_looks(host):
    assert host.daemon.start(wait_s=None, check=True) == {"changed": True, "running": False, "pid": None}
    host.service.status = RUNNING
    assert host.daemon.stop(check=True) == {"changed": True, "running": True, "pid": 4321}
    assert host.manager.calls == []


def test_a_service_that_nobody_registered_cannot_be_started(host):
    host.manager.services.clear()

    with pytest.raises(RefusedError, match="not registered"):
        host.daemon.start(wait_s=None)
    assert host.daemon.stop() == {"changed": False, "running": False, "pid": None}


def test_a_service_that_ends_at_once_says_why(host):
    host.service.after_start = ServiceStatus(ServiceState.STOPPED, None, 1066, 3)

    with pytest.raises(UnreachableError, match="service-specific exit code 3: another process serves this tunnel"):
        host.daemon.start(wait_s=None)


def test_a_service_that_never_runs_is_given_up(host):
    host.service.after_start = ServiceStatus(ServiceState.START_PENDING, 4321)

    with pytest.raises(UnreachableError, match="did not start in time"):
        host.daemon.start(wait_s=None)


def test_waiting_for_the_tunnel_ends_with_the_services_own_reason(host):
    host.tunnel.conf.parent.mkdir(parents=True)
    host.tunnel.conf.touch()
    host.pipe.replies["ping"] = {"running": True, "is_configured": False}
    host.pipe.replies["status"] = {"error": {"message": "port taken", "path": "UDP 51820", "hint": "stop the other"}}

    with pytest.raises(UnreachableError, match="not up yet: port taken") as caught:
        host.daemon.start(wait_s=5)
    assert (caught.value.path, caught.value.hint) == ("UDP 51820", "stop the other")


def test_a_running_service_stops(host):
    host.service.status = RUNNING

    assert host.daemon.stop() == {"changed": True, "running": False, "pid": None}
    assert host.manager.calls == [("stop", "wirefleet-wf0")]


def test_a_service_that_starts_takes_its_order_to_stop_once_it_runs(host):
    host.service.status = ServiceStatus(ServiceState.START_PENDING, 4321)

    assert host.daemon.stop()["changed"]
    assert host.manager.calls == [("stop", "wirefleet-wf0")]


def test_a_service_that_ends_by_itself_while_it_starts_is_stopped_too(host):
    host.service.status = ServiceStatus(ServiceState.START_PENDING, 4321)
    host.service.after_start = ServiceStatus(ServiceState.STOPPED, None, 1066, 1)

    assert host.daemon.stop() == {"changed": True, "running": False, "pid": None}
    assert host.manager.calls == []


def test_a_service_that_does_not_answer_yet_is_stopped_all_the_same(host):
    host.service.status = ServiceStatus(ServiceState.START_PENDING, 4321)
    del host.pipe.replies["ping"]

    assert host.daemon.stop()["changed"]
    assert host.manager.calls == [("stop", "wirefleet-wf0")]


def test_a_service_that_does_not_stop_is_left_to_its_watchdog_and_then_reported(host):
    host.service.status = RUNNING
    host.service.ignores_stop = True

    with pytest.raises(UnreachableError, match=r"does not end \(process 4321\)"):
        host.daemon.stop(timeout_s=1)
    assert host.now_s >= 35


def test_a_detached_restart_is_begun_by_the_service_which_is_in_no_callers_job(host):
    host.service.status = RUNNING
    host.pipe.replies["restart.spawn"] = {"changed": True}

    host.daemon.spawn_restart(ORDER)

    assert host.pipe.asked == [("restart.spawn", {"id": ORDER.restart_id, "timeout_s": 30.0, "wait": True})]
    assert host.spawned == []


def test_where_nothing_runs_a_detached_restart_leaves_the_callers_job(host):
    host.daemon.spawn_restart(ORDER)

    ((command, flags),) = host.spawned
    assert command[1:4] == ["-I", "-m", "wirefleet_agent"]
    assert command[-6:] == ["restart", "--id", ORDER.restart_id, "--timeout", "30", "--wait"]
    assert flags & BREAKAWAY


def test_a_service_that_does_not_answer_is_restarted_by_the_caller(host):
    host.pipe.error = UnreachableError("the daemon did not answer")

    host.daemon.spawn_restart(ORDER)

    ((_command, flags),) = host.spawned
    assert flags & BREAKAWAY


def test_a_service_that_knows_no_such_order_is_restarted_by_the_caller(host):
    host.service.status = RUNNING
    host.pipe.errors["restart.spawn"] = {"code": "usage", "message": "unknown", "path": None, "hint": None}

    host.daemon.spawn_restart(ORDER)

    assert len(host.spawned) == 1


def test_where_nothing_runs_and_no_process_may_leave_its_job_the_restart_stays_in_it(host):
    host.refusals = [access_denied()]

    host.daemon.spawn_restart(ORDER)

    ((_command, flags),) = host.spawned
    assert not flags & BREAKAWAY


def test_a_restart_that_cannot_be_spawned_is_a_driver_error(host):
    host.refusals = [FileNotFoundError(2, "no such file")]

    with pytest.raises(DriverError, match="no such file"):
        host.daemon.spawn_restart(ORDER)


def install(paths: Paths, name: str) -> None:
    home = paths.release_dir / name
    home.mkdir(parents=True)
    (home / "python.exe").write_bytes(b"")
    (home / "python.exe").chmod(0o755)
    (home / "release.json").write_text('{"digest": "0123456789abcdef"}')


def test_the_service_has_the_restart_done_by_the_release_that_is_current_now(tmp_path):
    paths = Paths(tmp_path, WINDOWS_LAYOUT)
    install(paths, "0.1.0")
    install(paths, "0.2.0")
    (tmp_path / "current").write_bytes(b"0.2.0\r\n")
    spawned = []

    spawn_from_service(TunnelPaths(paths, "wf0"), ORDER, run=lambda command, flags: spawned.append((command, flags)))

    ((command, flags),) = spawned
    assert command[0] == str(paths.release_dir / "0.2.0" / "python.exe")
    assert command[-6:] == ["restart", "--id", ORDER.restart_id, "--timeout", "30", "--wait"]
    assert not flags & BREAKAWAY


def test_a_service_of_no_release_has_the_restart_done_by_its_own_python(tmp_path):
    spawned = []

    spawn_from_service(Paths(tmp_path).tunnel("wf0"), ORDER, run=lambda command, _flags: spawned.append(command))

    assert spawned[0][0] == sys.executable
