# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What pipes promise: on an in-memory fake everywhere, on the real binding where there is Windows (or Wine)."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator

import pytest
from support.memory_pipes import MemoryPipes
from wirefleet_agent.drivers.pipe_windows import (
    ADMINISTRATORS_ONLY,
    ADMINISTRATORS_SID,
    SYSTEM_SID,
    Caller,
    PipeApi,
    PipeConnection,
    PipeServer,
    connect_pipe,
    is_trusted,
    load_pipes,
)
from wirefleet_agent.errors import DriverError

needs_windows = pytest.mark.windows_only
Serve = Callable[[PipeConnection], None]

_SERVER_PROGRAM = """
import sys
from wirefleet_agent.drivers.pipe_windows import PipeServer
def serve(connection):
    while data := connection.read(65536):
        connection.write(b"%d:" % connection.client_pid + data)
server = PipeServer(sys.argv[1], serve)
server.start()
print("ready", flush=True)
sys.stdin.readline()
server.stop()
"""


@pytest.fixture(params=["memory", pytest.param("windows", marks=needs_windows)])
def api(request: pytest.FixtureRequest) -> PipeApi:
    return MemoryPipes() if request.param == "memory" else load_pipes()


@pytest.fixture
def name() -> str:
    return rf"\\.\pipe\wirefleet\test {uuid.uuid4()} 上海"


class Served:
    """Servers of one name that are stopped at the end."""

    def __init__(self, name: str, api: PipeApi) -> None:
        self.name = name
        self._api = api
        self._servers: list[PipeServer] = []

    def start(self, serve: Serve, *, max_clients: int = 16, idle_timeout_s: float = 10.0) -> PipeServer:
        server = PipeServer(self.name, serve, max_clients=max_clients, idle_timeout_s=idle_timeout_s, api=self._api)
        server.start()
        self._servers.append(server)
        return server

    def connect(self, *, timeout_s: float = 10.0) -> PipeConnection:
        return connect_pipe(self.name, timeout_s=timeout_s, api=self._api)

    def stop(self) -> None:
        for server in self._servers:
            server.stop()


@pytest.fixture
def served(name: str, api: PipeApi) -> Iterator[Served]:
    made = Served(name, api)
    yield made
    made.stop()


def echo(connection: PipeConnection) -> None:
    while data := connection.read(65536):
        connection.write(data)


def read_all(connection: PipeConnection, count: int) -> bytes:
    received = b""
    while len(received) < count and (chunk := connection.read(65536)):
        received += chunk
    return received


def test_many_clients_at_once_each_get_their_own_answers(served: Served) -> None:
    served.start(echo)
    clients = [served.connect() for _ in range(8)]

    for number, client in enumerate(clients):
        client.write(b"hello %d" % number)
    answers = [client.read(100) for client in clients]

    assert answers == [b"hello %d" % number for number in range(8)]
    for client in clients:
        client.close()


def test_a_message_larger_than_the_buffers_goes_through(served: Served) -> None:
    served.start(lambda connection: connection.write(read_all(connection, 1_000_000)[::-1]))
    message = bytes(range(250)) * 4000

    client = served.connect()
    client.write(message)

    assert read_all(client, 1_000_000) == message[::-1]
    client.close()


def test_what_was_written_before_the_close_arrives_and_then_the_end(served: Served) -> None:
    served.start(lambda connection: connection.write(b"goodbye"))

    client = served.connect()

    assert client.read(100) == b"goodbye"
    assert client.read(100) == b""
    client.close()


def test_a_client_that_is_silent_is_dropped(served: Served) -> None:
    served.start(echo, idle_timeout_s=0.1)

    client = served.connect()

    assert client.read(100) == b""
    client.close()


def test_a_client_that_does_not_read_its_answer_is_dropped_and_blocks_nobody(served: Served) -> None:
    outcome: list[type[BaseException]] = []
    is_over = threading.Event()

    def flood(connection: PipeConnection) -> None:
        if connection.read(1) == b"e":
            return echo(connection)
        try:
            connection.write(bytes(10_000_000))
        except OSError as error:
            outcome.append(type(error))
            is_over.set()
            raise
        return None

    served.start(flood, idle_timeout_s=0.3)
    deaf, other = served.connect(), served.connect()
    deaf.write(b"x")
    other.write(b"e")
    other.write(b"hello")

    assert other.read(100) == b"hello"
    assert is_over.wait(5)
    assert outcome == [TimeoutError]
    deaf.close()
    other.close()


def test_the_newest_client_takes_the_place_of_the_most_silent_one(served: Served) -> None:
    served.start(echo, max_clients=4)
    silent = served.connect()
    silent.write(b"first")
    assert silent.read(100) == b"first"
    others = [served.connect() for _ in range(40)]

    others[-1].write(b"hello")

    assert others[-1].read(100) == b"hello"
    assert silent.read(100) == b""
    for client in (silent, *others):
        client.close()


def test_a_client_that_goes_away_at_once_harms_nobody(served: Served) -> None:
    served.start(echo)

    for _ in range(20):
        served.connect().close()
    client = served.connect()
    client.write(b"still there")

    assert client.read(100) == b"still there"
    client.close()


def test_a_server_that_fails_one_client_serves_the_next(served: Served) -> None:
    def fragile(connection: PipeConnection) -> None:
        if connection.read(100) == b"fail":
            raise ValueError("our own mistake")
        connection.write(b"fine")

    served.start(fragile)
    unlucky = served.connect()
    unlucky.write(b"fail")
    assert unlucky.read(100) == b""

    lucky = served.connect()
    lucky.write(b"go")

    assert lucky.read(100) == b"fine"
    unlucky.close()
    lucky.close()


def test_stopping_ends_waiting_connections_and_all_threads_and_gives_the_name_back(served: Served) -> None:
    before = threading.active_count()
    server = served.start(echo)
    client = served.connect()
    client.write(b"x")
    assert client.read(1) == b"x"

    server.stop()
    server.stop()

    assert client.read(1) == b""
    client.close()
    assert threading.active_count() == before
    with pytest.raises(FileNotFoundError):
        served.connect()
    served.start(echo)
    served.connect().close()


def test_an_answer_under_way_is_finished_when_the_server_stops(served: Served) -> None:
    is_asked, may_answer = threading.Event(), threading.Event()

    def answer(connection: PipeConnection) -> None:
        connection.read(1)
        is_asked.set()
        may_answer.wait()
        connection.write(b"stopped")

    server = served.start(answer)
    client = served.connect()
    client.write(b"x")
    is_asked.wait()
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    may_answer.set()

    assert client.read(100) == b"stopped"
    stopping.join()
    client.close()


def test_nobody_there_is_file_not_found_and_no_wait(served: Served) -> None:
    started = time.monotonic()

    with pytest.raises(FileNotFoundError):
        served.connect(timeout_s=60)

    assert time.monotonic() - started < 30


def test_a_client_whose_server_is_silent_gets_a_time_out(served: Served) -> None:
    served.start(lambda connection: echo(connection))
    client = served.connect(timeout_s=0.1)

    with pytest.raises(TimeoutError):
        client.read(1)

    client.close()


def test_a_name_that_is_taken_is_refused(name: str) -> None:  # Wine 8 lets it pass: it ignores the flag
    pipes = MemoryPipes()
    first = PipeServer(name, echo, api=pipes)
    first.start()

    with pytest.raises(DriverError) as caught:
        PipeServer(name, echo, api=pipes).start()
    first.stop()

    assert caught.value.call == "CreateNamedPipe"
    assert "another process" in (caught.value.hint or "")


def test_every_instance_has_the_descriptor_and_only_the_first_claims_the_name(name: str) -> None:
    pipes = MemoryPipes()
    server = PipeServer(name, echo, api=pipes)
    server.start()
    connect_pipe(name, timeout_s=1, api=pipes).close()
    server.stop()

    assert len(pipes.descriptors) >= 2
    assert set(pipes.descriptors) == {ADMINISTRATORS_ONLY}


def test_a_pipe_of_an_ordinary_user_is_not_talked_to(name: str) -> None:
    pipes = MemoryPipes(owner_sid="S-1-5-21-9-9-9-1234")
    received: list[bytes] = []
    squatter = PipeServer(name, lambda connection: received.append(connection.read(100)), api=pipes)
    squatter.start()

    with pytest.raises(PermissionError, match="S-1-5-21-9-9-9-1234"):
        connect_pipe(name, timeout_s=1, api=pipes)
    squatter.stop()

    assert set(received) <= {b""}


@pytest.mark.parametrize(
    ("owner", "is_administrator", "expected"),
    [
        (SYSTEM_SID, True, True),
        (SYSTEM_SID, False, True),
        (ADMINISTRATORS_SID, True, True),
        ("S-1-5-21-1-2-3-1001", False, True),
        ("S-1-5-21-1-2-3-1001", True, False),
        ("S-1-5-21-1-2-3-1002", False, False),
        ("S-1-5-32-545", False, False),
    ],
)
def test_pipes_of_the_system_of_administrators_and_of_a_plain_user_himself_are_trusted(
    owner: str, is_administrator: bool, expected: bool
) -> None:
    assert is_trusted(owner, Caller("S-1-5-21-1-2-3-1001", is_administrator)) is expected


@needs_windows
def test_two_processes_talk_and_the_server_knows_the_process_of_its_client(name: str) -> None:
    import os

    with subprocess.Popen(
        [sys.executable, "-c", _SERVER_PROGRAM, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        assert server.stdout.readline().strip() == b"ready"
        client = connect_pipe(name, timeout_s=10)
        client.write(b"hello")
        answer = client.read(100)
        client.close()
        server.stdin.write(b"\n")
        server.stdin.close()
        code = server.wait(10)

    assert answer == b"%d:hello" % os.getpid()
    assert code == 0


@needs_windows
def test_the_pipe_object_belongs_to_the_administrators_and_lets_in_nobody_else(name: str) -> None:
    import win32file
    import win32security

    server = PipeServer(name, echo)
    server.start()
    handle = win32file.CreateFile(name, win32file.GENERIC_READ, 0, None, win32file.OPEN_EXISTING, 0, None)
    wanted = win32security.OWNER_SECURITY_INFORMATION | win32security.DACL_SECURITY_INFORMATION
    descriptor = win32security.GetSecurityInfo(handle, win32security.SE_KERNEL_OBJECT, wanted)
    dacl = descriptor.GetSecurityDescriptorDacl()
    allowed = {win32security.ConvertSidToStringSid(dacl.GetAce(i)[2]) for i in range(dacl.GetAceCount())}
    handle.Close()
    server.stop()

    assert win32security.ConvertSidToStringSid(descriptor.GetSecurityDescriptorOwner()) == ADMINISTRATORS_SID
    assert allowed == {SYSTEM_SID, ADMINISTRATORS_SID}
