# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The metrics' port over real TCP on loopback, with callers that are slow, many, or no HTTP clients at all."""

from __future__ import annotations

import errno
import socket
import struct
import sys
from collections.abc import Callable, Iterator

import pytest
from structlog.testing import capture_logs
from support.tunnels import ManualClock
from wirefleet_agent.drivers.tcp_listeners import ListenAt
from wirefleet_agent.engine import Loop, ScrapePage, ScrapeServer
from wirefleet_agent.engine import scrape_server as module

TEXT = b"wirefleet_tunnel_up 1.0\n"
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
TURNS = 400
RESET_ON_CLOSE = struct.pack("HH" if sys.platform == "win32" else "ii", 1, 0)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A server whose callers are told apart by what ``callers`` says next; a caller of None may not call."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.text = TEXT
        self.callers: Callable[[], str | None] = lambda: "prometheus"
        self.at = ListenAt("127.0.0.1", free_port())
        self.server = ScrapeServer(loop, ScrapePage(loop, lambda: iter([self.text])), "text/plain", self._admit)
        self.server.listen_at([self.at])

    def _admit(self, _at: ListenAt, source: str) -> str | None:
        assert source == "127.0.0.1"
        return self.callers()

    def turn(self, turns: int = 20) -> None:
        for _ in range(turns):
            self.loop.run_once(0)

    def call(self, data: bytes = b"") -> Client:
        return Client(self, data)


class Client:
    """A caller of the same thread: it turns the loop while it waits."""

    def __init__(self, server: Server, data: bytes) -> None:
        self._server = server
        self.socket = socket.create_connection((server.at.address, server.at.port))
        self.socket.setblocking(False)
        server.turn(5)
        if data:
            self.send(data)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)
        self._server.turn(5)

    def answer(self, turns: int = TURNS) -> bytes:
        """All that comes until the server closes."""
        received = b""
        for _ in range(turns):
            self._server.loop.run_once(0.001)
            try:
                chunk = self.socket.recv(1 << 20)
            except BlockingIOError:
                continue
            except ConnectionError:
                break
            if not chunk:
                break
            received += chunk
        return received

    @property
    def is_closed(self) -> bool:
        self._server.turn(5)
        try:
            return self.socket.recv(1) == b""
        except BlockingIOError:
            return False
        except ConnectionError:
            return True

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def server(loop: Loop) -> Iterator[Server]:
    made = Server(loop)
    yield made
    made.server.close()


def test_a_scrape_gets_the_page_and_the_connection_ends(server: Server) -> None:
    answer = server.call(REQUEST).answer()

    head, body = answer.split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Type: text/plain" in head
    assert f"Content-Length: {len(TEXT)}".encode() in head
    assert body == TEXT
    server.turn()
    assert server.server.counts["answered"] == 1


def test_a_request_may_come_byte_by_byte(server: Server) -> None:
    client = server.call()
    for byte in REQUEST:
        client.send(bytes([byte]))

    assert client.answer().endswith(TEXT)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"404 Not Found"),
        (b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", b"405 Method Not Allowed"),
        (b"HELP\r\n\r\n", b"400 Bad Request"),
        (b"\x16\x03\x01" + b"\xff" * 9000, b"400 Bad Request"),
        (b"GET /" + b"m" * 9000, b"400 Bad Request"),
        (b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 2000 + b"\r\n", b"400 Bad Request"),
    ],
)
def test_anything_else_gets_an_empty_answer_that_says_why(server: Server, request_: bytes, status: bytes) -> None:
    answer = server.call(request_).answer()

    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"Content-Length: 0\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")
    server.turn()
    assert server.server.counts["invalid"] == 1


def test_a_head_that_drips_is_cut_off_after_five_seconds_however_busy_it_looks(
    server: Server, clock: ManualClock
) -> None:
    client = server.call(b"GET /metrics HTTP/1.1\r\n")
    for _ in range(9):
        clock.now += 0.5
        client.send(b"X-a: b\r\n")
        assert not client.is_closed

    clock.now += 0.6

    assert client.is_closed
    assert server.server.counts["failed"] == 1


def test_a_reader_that_takes_nothing_is_cut_off_and_costs_no_more_than_the_page(
    server: Server, clock: ManualClock
) -> None:
    server.text = b"#" * (32 << 20)
    client = server.call(REQUEST)
    server.turn(TURNS)
    clock.now += module.ANSWER_TIMEOUT_S + 0.1
    server.turn()

    assert server.server.counts["failed"] == 1
    assert len(client.answer()) < len(server.text)


def test_a_large_page_arrives_whole_at_a_slow_reader(server: Server) -> None:
    server.text = b"0123456789abcdef" * (1 << 18)

    answer = server.call(REQUEST).answer(turns=20_000)

    assert answer.partition(b"\r\n\r\n")[2] == server.text


def test_one_caller_has_four_places_and_loses_his_oldest(server: Server) -> None:
    clients = [server.call() for _ in range(module.MAX_CONNECTIONS_OF_ONE)]

    newest = server.call(REQUEST)

    assert [client.is_closed for client in clients] == [True, False, False, False]
    assert newest.answer().endswith(TEXT)
    assert server.server.counts["displaced"] == 1


def test_a_flood_of_one_caller_leaves_the_connections_of_another_alone(server: Server) -> None:
    patient = server.call(b"GET /metrics")
    server.callers = lambda: "hostile spoke"

    flood = [server.call(b"GET /metrics") for _ in range(200)]

    assert sum(not client.is_closed for client in flood) == module.MAX_CONNECTIONS_OF_ONE
    patient.send(b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert patient.answer().endswith(TEXT)


def test_when_many_callers_flood_together_whoever_holds_most_gives_way(server: Server) -> None:
    patient = server.call(b"GET /metrics")
    names = iter([f"spoke-{number % 6}" for number in range(60)])
    server.callers = lambda: next(names)

    flood = [server.call() for _ in range(60)]

    assert sum(not client.is_closed for client in flood) == module.MAX_CONNECTIONS - 1
    patient.send(b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert patient.answer().endswith(TEXT)


def test_a_stranger_is_shown_the_door_before_he_says_anything(server: Server) -> None:
    server.callers = lambda: None

    client = server.call()

    assert client.is_closed
    assert server.server.counts["refused"] == 1


def test_clients_that_go_away_at_any_moment_harm_nobody(server: Server) -> None:
    for length in range(0, len(REQUEST) + 1, 3):
        client = server.call(REQUEST[:length])
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        client.close()
        server.turn()

    assert server.call(REQUEST).answer().endswith(TEXT)


def test_a_page_that_cannot_be_made_is_unavailable(server: Server) -> None:
    def render() -> Iterator[bytes]:
        raise ZeroDivisionError

    broken = ScrapeServer(server.loop, ScrapePage(server.loop, render), "text/plain", lambda _at, _source: "x")
    at = ListenAt("127.0.0.1", free_port())
    broken.listen_at([at])
    server.loop.on_error = lambda _error: None
    server.at = at

    assert server.call(REQUEST).answer().startswith(b"HTTP/1.1 503 ")
    broken.close()


def test_places_come_and_go_and_their_callers_with_them(server: Server) -> None:
    client = server.call()

    server.server.listen_at([])

    assert client.is_closed
    assert server.server.places == frozenset()
    with pytest.raises(ConnectionError):
        socket.create_connection((server.at.address, server.at.port), timeout=5)
    server.server.listen_at([server.at])
    assert server.call(REQUEST).answer().endswith(TEXT)


def test_a_port_that_is_taken_is_told_once_and_tried_again(server: Server) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = ListenAt("127.0.0.1", other.getsockname()[1])
        with capture_logs() as logs:
            for _ in range(5):
                server.server.listen_at([server.at, taken])
    server.server.listen_at([server.at, taken])

    assert [log["event"] for log in logs] == ["metrics_not_listening"]
    assert server.server.places == {server.at, taken}


def test_a_host_without_free_descriptors_does_not_turn_in_circles(
    server: Server, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = server.server._listeners[server.at]
    tries = []

    class Exhausted:
        def fileno(self) -> int:
            return listener.fileno()

        def accept(self) -> tuple[socket.socket, object]:
            tries.append(clock.now)
            raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setitem(server.server._listeners, server.at, Exhausted())  # type: ignore[arg-type]
    client = Client(server, REQUEST)
    server.turn(50)
    assert len(tries) == 1
    monkeypatch.undo()
    clock.now += 1.1

    assert client.answer().endswith(TEXT)
