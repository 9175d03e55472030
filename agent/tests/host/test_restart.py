# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import json

import pytest
from wirefleet_agent.errors import DriverError, UnreachableError, UsageError
from wirefleet_agent.host.paths import Paths
from wirefleet_agent.host.restart import RestartOrder, is_restart_id, restart, restart_detached
from wirefleet_agent.host.restart_record import RestartRecord


class Daemon:
    """A DaemonControl that records; ``fail`` is raised by the call of that name."""

    def __init__(self, record: RestartRecord) -> None:
        self.record = record
        self.calls: list[str] = []
        self.states: list[object] = []
        self.fail: dict[str, DriverError | UnreachableError] = {}

    def start(self, *, wait_s, check=False):
        return self.call("start", {"changed": True, "running": True, "pid": 7})

    def stop(self, *, timeout_s=30.0, check=False):
        return self.call("stop", {})

    def spawn_restart(self, order):
        self.call("spawn_restart", None)

    def call(self, name, reply):
        self.calls.append(name)
        self.states.append(self.record.read()["state"])
        if name in self.fail:
            raise self.fail[name]
        return reply


@pytest.fixture
def tunnel(tmp_path):
    return Paths(tmp_path).tunnel("wf0")


@pytest.fixture
def record(tunnel):
    return RestartRecord(tunnel, wall=lambda: 1000.0)


@pytest.fixture
def daemon(record):
    return Daemon(record)


ORDER = RestartOrder("0123456789abcdef", 30.0, True)


def test_a_restart_stops_starts_and_is_on_record(daemon, record):
    reply = restart(daemon, record, ORDER)

    assert reply == {"changed": True, "running": True, "pid": 7}
    assert daemon.calls == ["stop", "start"]
    assert daemon.states == ["running", "running"]
    assert record.read() == {"id": ORDER.restart_id, "state": "done", "error": None}


def test_the_record_of_a_failed_restart_says_why(daemon, record):
    daemon.fail["start"] = UnreachableError("the service ended at once", path="wirefleet-wf0", hint="see its log")

    with pytest.raises(UnreachableError):
        restart(daemon, record, ORDER)

    found = record.read()
    assert (found["state"], found["error"]["message"]) == ("failed", "the service ended at once")


def test_a_detached_restart_is_on_record_before_anybody_can_ask(daemon, record):
    restart_detached(daemon, record, ORDER)

    assert daemon.calls == ["spawn_restart"]
    assert daemon.states == ["running"]


def test_a_detached_restart_that_cannot_begin_has_failed(daemon, record):
    daemon.fail["spawn_restart"] = DriverError("no", call="CreateProcess", os_code=5)

    with pytest.raises(DriverError):
        restart_detached(daemon, record, ORDER)
    assert record.read()["state"] == "failed"


def test_a_restart_whose_process_died_is_failed_when_its_time_is_over(tunnel):
    RestartRecord(tunnel, wall=lambda: 1000.0).begin("a", limit_s=60)

    assert RestartRecord(tunnel, wall=lambda: 1059.0).read()["state"] == "running"
    late = RestartRecord(tunnel, wall=lambda: 1061.0).read()
    assert (late["state"], late["error"]["code"]) == ("failed", "not_reachable")


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"'])
def test_a_broken_record_is_none(tunnel, record, text):
    record.end("a", None)
    path = tunnel.host.run_dir / "wf0.restart.json"
    path.write_text(text)

    assert record.read() is None


def test_an_order_survives_the_control_channel():
    assert RestartOrder.from_json(json.loads(json.dumps(ORDER.as_dict()))) == ORDER


@pytest.mark.parametrize("request_", [{}, {"id": "x; y", "timeout_s": 1, "wait": True}, {"id": "a" * 16, "wait": True}])
def test_an_order_that_is_none_is_refused(request_):
    with pytest.raises(UsageError):
        RestartOrder.from_json(request_)


def test_ids_are_plain_and_differ():
    one, other = RestartOrder.new(1, is_waiting=False), RestartOrder.new(1, is_waiting=False)

    assert is_restart_id(one.restart_id)
    assert one.restart_id != other.restart_id
