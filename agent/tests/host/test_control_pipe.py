# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The control channel on the real pipe server, over pipes in memory."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest
from support.memory_pipes import MemoryPipes
from wirefleet_agent.drivers.pipe_windows import connect_pipe
from wirefleet_agent.engine import Loop
from wirefleet_agent.errors import ConfigError, DriverError, UnreachableError, UsageError
from wirefleet_agent.host import control_pipe
from wirefleet_agent.host.control_client import ControlClient
from wirefleet_agent.host.control_pipe import PipeListener, PipeTransport, control_pipe_name
from wirefleet_agent.host.control_server import ControlServer
from wirefleet_agent.observe import get_logger

NAME = control_pipe_name("上海-01")


@pytest.fixture
def pipes():
    return MemoryPipes()


@pytest.fixture
def loop():
    loop = Loop(time.monotonic)
    thread = threading.Thread(target=loop.run, daemon=True)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture
def server(loop, pipes):
    server = ControlServer(PipeListener(loop, NAME, pipes), get_logger("test"))
    server.handlers["echo"] = lambda request: {"got": dict(request), "thread": threading.current_thread().name}
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(pipes):
    return ControlClient(PipeTransport(NAME, partial(connect_pipe, api=pipes)), timeout_s=5.0)


def test_only_administrators_can_make_a_pipe_of_this_name():
    assert NAME == "\\\\.\\pipe\\ProtectedPrefix\\Administrators\\WireFleet\\上海-01"


def test_requests_are_answered_on_the_loops_thread(server, client):
    threading.current_thread().name = "caller"

    reply = client.call("echo", {"a": 1})

    assert reply["got"] == {"a": 1}
    assert not str(reply["thread"]).startswith(("pipe", "caller"))


def test_large_requests_and_replies_pass(server, client):
    text = "x" * 1_000_000

    assert client.call("echo", {"text": text})["got"] == {"text": text}


def test_errors_of_the_daemon_are_the_callers(server, client):
    def refuse(_request):
        raise ConfigError("no", path="wf0.conf:1")

    server.handlers["refuse"] = refuse

    with pytest.raises(ConfigError, match="no"):
        client.call("refuse")
    with pytest.raises(UsageError, match="does not know"):
        client.call("nonsense")


def test_nobody_listening_is_not_an_error_for_those_who_only_try(client):
    assert client.try_call("echo") is None
    with pytest.raises(UnreachableError, match="not running"):
        client.call("echo")


def test_a_pipe_of_an_ordinary_user_is_not_spoken_to(loop, client, pipes):
    pipes.owner_sid = "S-1-5-21-1-2-3-1001"
    squatter = ControlServer(PipeListener(loop, NAME, pipes), get_logger("test"))
    squatter.handlers["echo"] = lambda request: {"stolen": dict(request)}
    squatter.start()

    with pytest.raises(UnreachableError, match="cannot be used"):
        client.call("echo")
    squatter.stop()


def test_a_second_daemon_cannot_have_the_name(server, loop, pipes):
    with pytest.raises(DriverError):
        ControlServer(PipeListener(loop, NAME, pipes), get_logger("test")).start()


def test_a_caller_that_sends_too_much_is_cut_off(server, client, monkeypatch):
    monkeypatch.setattr(control_pipe, "MAX_MESSAGE_BYTES", 1000)

    with pytest.raises(UnreachableError):
        client.call("echo", {"text": "x" * 500_000})


def test_a_caller_that_leaves_in_the_middle_harms_nobody(server, client, pipes):
    end = pipes.connect(NAME, 1.0)
    end.write(b'{"verb": ', 1.0)
    end.close()

    assert client.call("echo")["got"] == {}


def test_stopping_sends_those_away_who_wait_for_the_loop(pipes):
    idle = Loop(time.monotonic)
    server = ControlServer(PipeListener(idle, NAME, pipes), get_logger("test"))
    server.start()
    errors: list[Exception] = []

    def call() -> None:
        try:
            ControlClient(PipeTransport(NAME, partial(connect_pipe, api=pipes)), timeout_s=30.0).call("echo")
        except UnreachableError as error:
            errors.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    while not idle._soon and caller.is_alive():
        caller.join(0.01)
    server.stop()
    caller.join(10)
    idle.close()

    assert len(errors) == 1
