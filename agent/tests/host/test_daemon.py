# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
import structlog
from support.memory_host import MemoryHost
from wirefleet_agent.errors import DriverError, RefusedError, UnreachableError
from wirefleet_agent.host.control_client import control_of
from wirefleet_agent.host.file_lock import FileLock
from wirefleet_agent.host.paths import Paths
from wirefleet_agent.host.restart import RestartOrder, restart_detached
from wirefleet_agent.host.restart_record import RestartRecord
from wirefleet_agent.observe import Logs

if sys.platform != "win32":
    from wirefleet_agent.host.daemon import Daemon
    from wirefleet_agent.host.notify import ServiceNotifier
    from wirefleet_agent.host.service_linux import LinuxService

pytestmark = pytest.mark.linux_only

HOLD = """
import sys, time
from pathlib import Path
from wirefleet_agent.host.file_lock import FileLock
FileLock(Path(sys.argv[1])).acquire(5)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def paths(tmp_path):
    return Paths(tmp_path / ("a-directory-with-a-long-name-" * 4)).tunnel("wft0")


@pytest.fixture
def daemon(paths):
    daemon = Daemon(paths)
    yield daemon
    daemon.stop(timeout_s=10)


def test_a_daemon_starts_once_and_stops_once(daemon, paths):
    first = daemon.start(wait_s=5)
    second = daemon.start(wait_s=5)
    stopped = daemon.stop()
    again = daemon.stop()

    assert (first["changed"], second["changed"]) == (True, False)
    assert first["pid"] == second["pid"]
    assert stopped == {"changed": True, "running": False, "pid": None}
    assert again["changed"] is False
    assert not paths.socket.exists()
    events = [json.loads(line)["event"] for line in paths.log.read_text().splitlines()]
    assert events[0] == "service_started"
    assert events[-1] == "service_stopped"


def test_of_several_that_start_at_once_one_runs_and_none_takes_over_when_it_is_stopped(paths):
    replies: list[dict[str, object]] = []
    threads = [threading.Thread(target=lambda: replies.append(Daemon(paths).start(wait_s=None))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    stopped = Daemon(paths).stop(timeout_s=10)

    assert len(replies) == 3
    assert len({reply["pid"] for reply in replies}) == 1
    assert sorted(reply["changed"] for reply in replies) == [False, False, True]
    assert stopped == {"changed": True, "running": False, "pid": None}


def test_a_killed_daemon_is_known_to_be_dead(daemon):
    pid = daemon.start(wait_s=None)["pid"]
    os.kill(pid, signal.SIGKILL)
    assert daemon._released(5)

    assert daemon.stop()["changed"] is False
    assert daemon.start(wait_s=None)["changed"]


def test_a_detached_restart_replaces_the_process_and_says_how_it_went(daemon, paths):
    before = daemon.start(wait_s=None)["pid"]
    record, order = RestartRecord(paths), RestartOrder.new(10.0, is_waiting=False)

    restart_detached(daemon, record, order)
    is_begun = record.read()["state"]
    limit = time.monotonic() + 30
    while record.read()["state"] == "running" and time.monotonic() < limit:
        time.sleep(0.05)

    assert is_begun == "running"
    assert record.read() == {"id": order.restart_id, "state": "done", "error": None}
    status = control_of(paths).call("status")
    assert status["pid"] != before
    assert status["restart"]["state"] == "done"


def test_check_mode_tells_what_would_happen(daemon):
    assert daemon.start(wait_s=None, check=True) == {"changed": True, "running": False, "pid": None}
    pid = daemon.start(wait_s=None)["pid"]

    assert daemon.stop(check=True) == {"changed": True, "running": True, "pid": pid}
    assert daemon.start(wait_s=None, check=True) == {"changed": False, "running": True, "pid": pid}


def test_a_daemon_that_ends_at_once_says_why(daemon, paths, monkeypatch):
    monkeypatch.setenv("LOG_LEVEL", "loud")

    with pytest.raises(UnreachableError, match=r"ended at once: .*log level is one of"):
        daemon.start(wait_s=None)


def test_a_daemon_whose_tunnel_cannot_come_up_says_why(daemon, paths):
    paths.conf.parent.mkdir(parents=True, mode=0o700)
    paths.conf.write_text("[Interface]\nnonsense = 1\n")
    paths.conf.chmod(0o600)

    with pytest.raises(UnreachableError, match="not up yet: unknown key"):
        daemon.start(wait_s=0.2)
    assert daemon.start(wait_s=None)["changed"] is False


def test_the_log_is_reopened_on_sighup(daemon, paths):
    pid = daemon.start(wait_s=None)["pid"]
    paths.log.rename(paths.log.with_suffix(".1"))
    os.kill(pid, signal.SIGHUP)
    limit = time.monotonic() + 5
    while not paths.log.exists() and time.monotonic() < limit:
        control_of(paths).call("ping")

    assert paths.log.exists()


@pytest.fixture
def holder(tmp_path):
    """Another process that holds a lock."""
    lock = tmp_path / "run" / "x.lock"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process, lock
    process.kill()
    process.communicate()


def test_a_lock_has_one_holder_and_names_it(holder):
    process, path = holder
    lock = FileLock(path)

    assert lock.holder() == process.pid
    assert lock.is_open_in(process.pid)
    assert not lock.try_acquire()
    with pytest.raises(RefusedError, match=f"process {process.pid} is at work"):
        lock.acquire(0.05)
    process.kill()
    process.wait()
    lock.acquire(5)
    assert lock.is_held
    lock.release()
    lock.release()
    assert lock.holder() is None


def test_a_lock_file_that_a_full_disk_cannot_hold_is_a_driver_error_and_no_lock(tmp_path, monkeypatch):
    def refuse(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    lock = FileLock(tmp_path / "x.lock")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", refuse)
        with pytest.raises(DriverError, match="No space left"):
            lock.try_acquire()

    assert not lock.is_held
    assert lock.holder() is None


def test_a_number_in_the_file_alone_never_gets_a_process_signalled(paths, holder):
    """A stale process id, reused by a stranger: nobody holds the lock, nobody is signalled."""
    process, _path = holder
    paths.pid.parent.mkdir(parents=True)
    paths.pid.write_text(f"{process.pid}\n")
    paths.pid.chmod(0o600)

    assert Daemon(paths).stop() == {"changed": False, "running": False, "pid": None}
    Daemon(paths)._signal(process.pid, signal.SIGKILL)
    assert process.poll() is None


def test_the_process_serves_until_it_is_told_to_stop(tmp_path):
    """LinuxService in this very process: signals reach the loop, and all is cleaned up."""
    host = MemoryHost(tmp_path)
    logs = Logs()
    logs.configure(level="silent")
    host.container = None
    earlier_mask = os.umask(0o022)
    try:
        from wirefleet_agent.engine import Loop
        from wirefleet_agent.host.paths import TunnelPaths
        from wirefleet_agent.host.wiring import build_container

        container = build_container(host.drivers, context={TunnelPaths: host.paths, Logs: logs})
        container.get(Loop).call_soon(lambda: os.kill(os.getpid(), signal.SIGTERM))
        container.get(LinuxService).run()
        container.close()
    finally:
        os.umask(earlier_mask)
        structlog.reset_defaults()

    assert FileLock(host.paths.pid).holder() is None
    assert not host.paths.socket.exists()


def test_the_service_manager_is_told_through_its_socket(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "n"))
        notifier = ServiceNotifier({"NOTIFY_SOCKET": str(tmp_path / "n"), "WATCHDOG_USEC": "3000000"})
        notifier.ready("up")
        notifier.watchdog()
        notifier.stopping()

        assert [manager.recv(100) for _ in range(3)] == [b"READY=1\nSTATUS=up", b"WATCHDOG=1", b"STOPPING=1"]
        assert notifier.watchdog_interval_s == 1.5


def test_without_a_service_manager_nothing_happens():
    notifier = ServiceNotifier({})
    notifier.ready("up")

    assert notifier.watchdog_interval_s is None
    assert (
        ServiceNotifier({"NOTIFY_SOCKET": "@gone", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}).watchdog_interval_s
        is None
    )
    ServiceNotifier({"NOTIFY_SOCKET": "@wirefleet-gone"}).ready("nobody listens")
