# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The daemon's control socket: local, for root and the daemon's own user, one request per connection."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from ..engine import Handle, Loop
from ..errors import InternalError, UsageError, WireFleetError
from ..observe import Logger
from .control_client import peer_of, short_address
from .control_protocol import (
    CONNECTION_TIMEOUT_S,
    MAX_MESSAGE_BYTES,
    Json,
    decode_request,
    encode,
    error_message,
)
from .private_files import make_private_dir, os_failure

Handler = Callable[[Mapping[str, object]], Json]

_BACKLOG = 16
_MAX_CONNECTIONS = 32
_CHUNK_BYTES = 256 * 1024


class ControlServer:
    """Serves ``handlers`` on a Unix socket (0600 in a 0700 directory). A stale socket is replaced.

    The caller holds the tunnel's lock, so no other daemon can be behind the path.
    """

    def __init__(self, loop: Loop, path: Path, logger: Logger) -> None:
        self._loop = loop
        self._path = path
        self._logger = logger
        self._listener: socket.socket | None = None
        self._connections: set[_Connection] = set()
        self.handlers: dict[str, Handler] = {}

    def start(self) -> None:
        """Raises DriverError."""
        make_private_dir(self._path.parent)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            self._path.unlink(missing_ok=True)
            with short_address(self._path) as address:
                listener.bind(address)
            self._path.chmod(0o600)
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            raise os_failure("bind", self._path, error) from error
        self._listener = listener
        self._loop.add_reader(listener.fileno(), self._accept)

    def stop(self) -> None:
        """Idempotent. Answers that are on their way are finished as far as the socket takes them now."""
        if self._listener is None:
            return
        self._loop.remove_reader(self._listener.fileno())
        self._listener.close()
        self._listener = None
        self._path.unlink(missing_ok=True)
        for connection in list(self._connections):
            connection.close()

    def _accept(self) -> None:
        if self._listener is None:
            return
        try:
            accepted, _ = self._listener.accept()
        except OSError:
            return
        accepted.setblocking(False)
        pid, uid = peer_of(accepted)
        if uid not in (0, os.geteuid()):
            self._logger.warning("control_connection_refused", pid=pid, uid=uid)
            accepted.close()
            return
        self._connections.add(_Connection(self._loop, accepted, self.answer, self._closed))
        if len(self._connections) >= _MAX_CONNECTIONS:
            self._loop.remove_reader(self._listener.fileno())  # the others wait in the queue

    def _closed(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        if self._listener is not None:
            self._loop.add_reader(self._listener.fileno(), self._accept)

    def answer(self, line: bytes) -> bytes:
        """One request's reply. Our own mistakes become an answer too: the caller must not wait for the time-out."""
        try:
            verb, request = decode_request(line)
            handler = self.handlers.get(verb)
            if handler is None:
                raise UsageError(f"this daemon does not know {verb!r}", hint="is it of another version?")
            return encode({"reply": handler(request)})
        except WireFleetError as error:
            return encode(error_message(error))
        except Exception:  # the supervisor's door: logged, and the daemon lives on
            self._logger.exception("control_request_failed")
            return encode(error_message(InternalError("the daemon failed to serve the request", hint="see its log")))


class _Connection:
    """Reads one line, writes one line, closes; or closes when the time is up."""

    def __init__(
        self,
        loop: Loop,
        connection: socket.socket,
        answer: Callable[[bytes], bytes],
        on_close: Callable[[_Connection], None],
    ) -> None:
        self._loop = loop
        self._socket = connection
        self._answer = answer
        self._on_close = on_close
        self._received = bytearray()
        self._unsent = memoryview(b"")
        self._deadline: Handle = loop.call_at(loop.now() + CONNECTION_TIMEOUT_S, self.close)
        loop.add_reader(connection.fileno(), self._read)

    def close(self) -> None:
        if self._socket.fileno() < 0:
            return
        self._deadline.cancel()
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()
        self._on_close(self)

    def _read(self) -> None:
        try:
            chunk = self._socket.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        self._received += chunk
        if not chunk or len(self._received) > MAX_MESSAGE_BYTES:
            self.close()
        elif chunk.endswith(b"\n"):
            self._loop.remove_reader(self._socket.fileno())
            self._unsent = memoryview(self._answer(bytes(self._received)))
            self._received.clear()
            self._deadline.cancel()
            self._deadline = self._loop.call_at(self._loop.now() + CONNECTION_TIMEOUT_S, self.close)
            self._loop.add_writer(self._socket.fileno(), self._write)
            self._write()

    def _write(self) -> None:
        with contextlib.suppress(BlockingIOError):
            try:
                sent = self._socket.send(self._unsent, socket.MSG_NOSIGNAL)
            except BlockingIOError:
                raise
            except OSError:
                self.close()
                return
            self._unsent = self._unsent[sent:]
        if not self._unsent:
            self.close()
