# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The control channel on a named pipe: for SYSTEM and administrators of this machine only."""

from __future__ import annotations

import time
from typing import Protocol

from ..drivers.pipe_windows import PipeApi, PipeConnection, PipeServer
from ..engine import Loop
from ..engine.threads import LoopCalls
from ..errors import UnreachableError
from .control_protocol import CONNECTION_TIMEOUT_S, MAX_MESSAGE_BYTES
from .control_server import Answer

ANSWER_TIMEOUT_S = 60.0
_CHUNK_BYTES = 64 * 1024


class ConnectPipe(Protocol):
    def __call__(self, name: str, *, timeout_s: float) -> PipeConnection: ...


def control_pipe_name(tunnel: str) -> str:
    """Windows lets only SYSTEM and administrators make pipes below this prefix: elsewhere any user could take the name
    before the service does, which would keep it from starting."""
    return rf"\\.\pipe\ProtectedPrefix\Administrators\WireFleet\{tunnel}"


class PipeListener:
    """A ControlListener: a thread of the pipe's server reads the line, the loop's thread answers it."""

    def __init__(self, loop: Loop, name: str, pipes: PipeApi) -> None:
        self._calls = LoopCalls(loop)
        self._server = PipeServer(name, self._converse, idle_timeout_s=CONNECTION_TIMEOUT_S, api=pipes)
        self._answer: Answer = lambda _line: b""

    def start(self, answer: Answer) -> None:
        """Raises DriverError, mostly because another process has the name."""
        self._answer = answer
        self._server.start()

    def stop(self) -> None:
        """Idempotent. Whoever waits for the loop is sent away first: its thread would not end otherwise."""
        self._calls.close()
        self._server.stop()

    def _converse(self, connection: PipeConnection) -> None:
        line = _read_line(connection)
        if line is None:
            return
        try:
            reply = self._calls.call(lambda: self._answer(line), ANSWER_TIMEOUT_S)
        except UnreachableError:
            return  # the caller learns it from the end of the connection
        connection.write(reply)


class PipeTransport:
    """A ControlTransport to the daemon behind one pipe."""

    def __init__(self, name: str, connect: ConnectPipe) -> None:
        self._connect = connect
        self.address = name

    def exchange(self, message: bytes, timeout_s: float) -> bytes | None:
        try:
            connection = self._connect(self.address, timeout_s=timeout_s)
        except FileNotFoundError:
            return None
        except TimeoutError as error:
            raise UnreachableError(
                f"the daemon took no call within {timeout_s:g} s", path=self.address, hint="see its log"
            ) from error
        except OSError as error:
            raise UnreachableError(
                f"the daemon's control pipe cannot be used: {error.strerror or error}",
                path=self.address,
                hint="run as an administrator, elevated",
            ) from error
        try:
            connection.write(message)
            return _read_line(connection, time.monotonic() + timeout_s) or b""
        except TimeoutError as error:
            raise UnreachableError(
                f"the daemon did not answer within {timeout_s:g} s", path=self.address, hint="see its log"
            ) from error
        except OSError as error:
            raise UnreachableError(
                f"the daemon closed the connection: {error.strerror or error}", path=self.address
            ) from error
        finally:
            connection.close()


def _read_line(connection: PipeConnection, limit: float | None = None) -> bytes | None:
    """One message with its line end; None if the other side left before, or sends too much. Raises TimeoutError."""
    received = bytearray()
    while not received.endswith(b"\n"):
        if limit is not None and time.monotonic() >= limit:
            raise TimeoutError
        chunk = connection.read(_CHUNK_BYTES)
        received += chunk
        if not chunk or len(received) > MAX_MESSAGE_BYTES:
            return None
    return bytes(received)
