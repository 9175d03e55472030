# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import os
import socket
import sys
import threading
import time

import pytest
from wirefleet_agent.engine import Loop
from wirefleet_agent.errors import (
    ConfigError,
    DriverError,
    InternalError,
    RefusedError,
    UnreachableError,
    UsageError,
)
from wirefleet_agent.host.control_client import ControlClient
from wirefleet_agent.host.control_protocol import decode_reply, encode, error_message
from wirefleet_agent.host.control_server import ControlServer
from wirefleet_agent.observe import get_logger

if sys.platform != "win32":
    from wirefleet_agent.host import control_posix
    from wirefleet_agent.host.control_posix import UnixListener, UnixTransport, short_address

pytestmark = pytest.mark.linux_only


@pytest.fixture
def path(tmp_path):
    return tmp_path / ("long-directory-name-" * 6) / "run" / "wf0.sock"


@pytest.fixture
def server(path):
    """A served socket: its loop turns in a thread until the test is over."""
    loop = Loop(time.monotonic)
    server = ControlServer(UnixListener(loop, path, get_logger("test")), get_logger("test"))
    server.handlers["echo"] = lambda request: {"got": dict(request)}
    path.parent.parent.mkdir(parents=True)
    server.start()
    thread = threading.Thread(target=loop.run, daemon=True)
    thread.start()
    yield server
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    server.stop()
    loop.close()


def test_a_path_longer_than_a_socket_address_works(server, path):
    assert len(str(path)) > 108

    assert ControlClient(UnixTransport(path)).call("echo", {"a": 1}) == {"got": {"a": 1}}


def test_the_socket_is_private(server, path):
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    assert oct(path.parent.stat().st_mode & 0o777) == "0o700"


def test_large_requests_and_replies_pass(server, path):
    text = "x" * 3_000_000

    assert ControlClient(UnixTransport(path)).call("echo", {"text": text})["got"] == {"text": text}


def test_many_callers_are_served(server, path):
    replies: list[object] = []
    threads = [
        threading.Thread(
            target=lambda n=n: replies.append(ControlClient(UnixTransport(path)).call("echo", {"n": n})["got"]["n"])
        )
        for n in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert sorted(replies) == list(range(12))


def test_callers_beyond_the_limit_wait_until_others_have_gone(server, path, monkeypatch):
    monkeypatch.setattr(control_posix, "_MAX_CONNECTIONS", 2)
    idle = [socket.socket(socket.AF_UNIX) for _ in range(2)]
    for one in idle:
        with short_address(path) as address:
            one.connect(address)
    replies: list[object] = []
    caller = threading.Thread(target=lambda: replies.append(ControlClient(UnixTransport(path)).call("echo", {})))
    caller.start()
    caller.join(0.2)
    has_waited = caller.is_alive()

    idle[0].close()
    caller.join(10)

    assert has_waited
    assert replies == [{"got": {}}]
    idle[1].close()


def test_a_full_queue_is_waited_for_and_then_reported(path):
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        with short_address(path) as address:
            listener.bind(address)
            listener.listen(0)
            first.connect(address)

        with pytest.raises(UnreachableError, match=r"took no call within 0\.1 s"):
            ControlClient(UnixTransport(path), timeout_s=0.1).call("echo", {})


def test_nobody_listening_is_not_an_error_for_those_who_only_try(path):
    assert ControlClient(UnixTransport(path)).try_call("echo") is None
    with pytest.raises(UnreachableError, match="not running"):
        ControlClient(UnixTransport(path)).call("echo")


def test_a_stale_socket_file_means_nobody(server, path):
    server.stop()
    path.touch()
    with socket.socket(socket.AF_UNIX) as stale:
        path.unlink()
        with short_address(path) as address:
            stale.bind(address)

    assert ControlClient(UnixTransport(path)).try_call("echo") is None


@pytest.mark.parametrize(
    "error",
    [
        UsageError("a", path="b", hint="c"),
        ConfigError("a", path="wf0.conf:1"),
        UnreachableError("a"),
        RefusedError("a", hint="c"),
        InternalError("a"),
        DriverError("a", call="bind", os_code=98, path="x"),
    ],
)
def test_an_error_of_the_daemon_is_the_same_error_for_the_caller(error):
    with pytest.raises(type(error)) as caught:
        decode_reply(encode(error_message(error)))

    assert caught.value.as_dict() == error.as_dict()
    if isinstance(error, DriverError):
        assert (caught.value.call, caught.value.os_code) == (error.call, error.os_code)


@pytest.mark.parametrize("line", [b"", b"[]\n", b"{}\n", b'{"reply": 3}\n', b'{"error": 3}\n', b"\xff\n"])
def test_a_broken_reply_is_an_unreachable_daemon(line):
    with pytest.raises(UnreachableError):
        decode_reply(line)


def test_other_users_are_turned_away(server, path, monkeypatch):
    monkeypatch.setattr(control_posix, "peer_of", lambda connection: (1, os.geteuid() + 1))

    with pytest.raises(UnreachableError):
        ControlClient(UnixTransport(path)).call("echo")


def test_a_caller_that_never_ends_its_request_is_cut_off(path, monkeypatch):
    now = [0.0]
    loop = Loop(lambda: now[0])
    server = ControlServer(UnixListener(loop, path, get_logger("test")), get_logger("test"))
    path.parent.parent.mkdir(parents=True)
    server.start()
    with socket.socket(socket.AF_UNIX) as caller:
        with short_address(path) as address:
            caller.connect(address)
        caller.sendall(b'{"verb"')
        loop.run_once(0)
        loop.run_once(0)
        now[0] += 11

        loop.run_once(0)

        assert caller.recv(10) == b""
    server.stop()
    server.stop()
    loop.close()


def test_a_request_beyond_the_limit_is_cut_off(server, path, monkeypatch):
    monkeypatch.setattr(control_posix, "MAX_MESSAGE_BYTES", 1000)

    with pytest.raises(UnreachableError):
        ControlClient(UnixTransport(path)).call("echo", {"text": "x" * 500_000})


def test_a_daemon_that_hangs_is_reported_after_the_time_out(path):
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as deaf:
        with short_address(path) as address:
            deaf.bind(address)
        deaf.listen()

        with pytest.raises(UnreachableError, match="did not answer within"):
            ControlClient(UnixTransport(path), timeout_s=0.05).call("echo")


def test_a_socket_that_may_not_be_used_is_reported(server, path, monkeypatch):
    def forbid(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(control_posix, "short_address", forbid)

    with pytest.raises(UnreachableError, match="Permission denied"):
        ControlClient(UnixTransport(path)).try_call("echo")


def test_a_directory_that_is_a_file_is_a_driver_error(tmp_path):
    (tmp_path / "run").touch()
    loop = Loop(time.monotonic)

    with pytest.raises((DriverError, RefusedError)):
        ControlServer(UnixListener(loop, tmp_path / "run" / "wf0.sock", get_logger("test")), get_logger("test")).start()
    loop.close()
