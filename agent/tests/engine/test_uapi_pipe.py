# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The UAPI pipe: in-memory pipes everywhere, the real ones where there is Windows (or Wine)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from support.memory_pipes import MemoryPipeEnd, MemoryPipes
from support.tunnels import TunnelPair
from wirefleet_agent.drivers.pipe_windows import ADMINISTRATORS_ONLY, PipeApi, PipeConnection, connect_pipe, load_pipes
from wirefleet_agent.engine.uapi_pipe_windows import ERROR_INVALID_OWNER, SYSTEM_OWNED, UapiPipeServer
from wirefleet_agent.keys import PublicKey

needs_windows = pytest.mark.windows_only


class NotSystem(MemoryPipes):
    """This process may not give its pipes to SYSTEM."""

    def create(self, name: str, sddl: str, *, is_first: bool) -> MemoryPipeEnd:
        if sddl.startswith("O:SY"):
            error = OSError(22, "This security ID may not be assigned as the owner of this object")
            error.winerror = ERROR_INVALID_OWNER  # type: ignore[attr-defined]  # only Windows's has it
            raise error
        return super().create(name, sddl, is_first=is_first)


@pytest.fixture(params=["memory", pytest.param("windows", marks=needs_windows)])
def api(request: pytest.FixtureRequest) -> PipeApi:
    return MemoryPipes() if request.param == "memory" else load_pipes()


@pytest.fixture
def server(pair: TunnelPair, api: PipeApi) -> Iterator[UapiPipeServer]:
    made = UapiPipeServer(pair.loop, pair.left.tunnel, pair.left.applier, api=api)
    made.start()
    yield made
    made.stop()


class Client:
    """A client in a thread of its own, while the test's thread turns the loop."""

    def __init__(self, pair: TunnelPair, name: str, api: PipeApi) -> None:
        self._pair = pair
        self._connection: PipeConnection = connect_pipe(name, timeout_s=5, api=api)

    def exchange(self, request: bytes) -> bytes:
        """The whole answer; b"" if the connection was closed instead."""
        answer: list[bytes] = []

        def ask() -> None:
            received = b""
            self._connection.write(request)
            while not received.endswith(b"\n\n") and (chunk := self._connection.read(65536)):
                received += chunk
            answer.append(received)

        self._run(ask)
        return answer[0]

    def _run(self, action: Callable[[], None]) -> None:
        thread = threading.Thread(target=action)
        thread.start()
        while thread.is_alive():
            self._pair.loop.run_once(0.01)
        thread.join()

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def client(pair: TunnelPair, server: UapiPipeServer, api: PipeApi) -> Iterator[Client]:
    made = Client(pair, server.name, api)
    yield made
    made.close()


def test_a_hub_is_described_whole(pair: TunnelPair, client: Client) -> None:
    for number in range(1000):
        pair.left.device.add_peer(PublicKey(number.to_bytes(32, "big")), pair.clock.now)

    reply = client.exchange(b"get=1\n\n")

    assert reply.count(b"public_key=") == 1001
    assert reply.endswith(b"errno=0\n\n")


def test_the_name_is_the_one_that_wg_looks_for(server: UapiPipeServer) -> None:
    assert server.name == r"\\.\pipe\ProtectedPrefix\Administrators\WireGuard\left"


def test_get_and_set_over_one_connection(pair: TunnelPair, client: Client) -> None:
    before = client.exchange(b"get=1\n\n")
    outcome = client.exchange(b"set=1\nfwmark=9\n\n")
    after = client.exchange(b"get=1\n\n")

    assert before.endswith(b"errno=0\n\n")
    assert (outcome, b"fwmark=9\n" in before, b"fwmark=9\n" in after) == (b"errno=0\n\n", False, True)


def test_a_bad_set_is_answered_negative_and_an_unknown_operation_closes(client: Client) -> None:
    assert client.exchange(b"set=1\nlisten_port=70000\n\n") == b"errno=-22\n\n"
    assert client.exchange(b"frobnicate=1\n\n") == b""


def test_clients_that_say_nothing_do_not_lock_wg_out(pair: TunnelPair, server: UapiPipeServer, api: PipeApi) -> None:
    silent = [connect_pipe(server.name, timeout_s=5, api=api) for _ in range(64)]

    newest = Client(pair, server.name, api)

    assert newest.exchange(b"get=1\n\n").endswith(b"errno=0\n\n")
    newest.close()
    for connection in silent:
        connection.close()


def test_stopping_on_the_loops_thread_does_not_wait_for_a_request_that_waits_for_the_loop(
    pair: TunnelPair, server: UapiPipeServer, api: PipeApi
) -> None:
    connection = connect_pipe(server.name, timeout_s=5, api=api)
    connection.write(b"get=1\n\n")
    while pair.loop._wait_s(None) != 0.0:  # until the request is in the loop's queue
        threading.Event().wait(0.001)

    server.stop()

    assert connection.read(100) == b""
    connection.close()


def test_the_pipe_is_the_systems_and_without_that_right_the_administrators(pair: TunnelPair) -> None:
    privileged, ordinary = MemoryPipes(), NotSystem()
    for api in (privileged, ordinary):
        server = UapiPipeServer(pair.loop, pair.left.tunnel, pair.left.applier, api=api)
        server.start()
        server.stop()

    assert set(privileged.descriptors) == {SYSTEM_OWNED}
    assert set(ordinary.descriptors) == {ADMINISTRATORS_ONLY}
