# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The control channel on a Unix socket: local, for root and the daemon's own user."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

assert sys.platform != "win32"  # nothing below means anything there

from ..engine import Handle, Loop
from ..errors import UnreachableError
from ..observe import Logger
from .control_protocol import CONNECTION_TIMEOUT_S, MAX_MESSAGE_BYTES
from .control_server import Answer
from .private_files import make_private_dir, os_failure

_BACKLOG = 16
_MAX_CONNECTIONS = 32
_SERVER_CHUNK_BYTES = 256 * 1024
_CLIENT_CHUNK_BYTES = 64 * 1024
_QUEUE_POLL_S = 0.02
_PEER_CREDENTIALS = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid


@contextlib.contextmanager
def short_address(path: Path) -> Iterator[str]:
    """An address of a Unix socket that fits into its 108 bytes however long ``path`` is.

    It leads through a descriptor of the directory. Raises OSError if that cannot be opened.
    """
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def peer_of(connection: socket.socket) -> tuple[int, int]:
    """(process id, user id) of the other end, as the kernel knows it."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size)
    pid, uid, _gid = _PEER_CREDENTIALS.unpack(raw)
    return int(pid), int(uid)


def is_served(path: Path) -> bool:
    """Whether somebody listens on a socket's file; a queue that is full means somebody, however slow."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as probe:
        try:
            with short_address(path) as address:
                probe.connect(address)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return True


class UnixListener:
    """A ControlListener on a Unix socket (0600 in a 0700 directory). A stale socket is replaced.

    The caller holds the tunnel's lock, so no other daemon can be behind the path.
    """

    def __init__(self, loop: Loop, path: Path, logger: Logger) -> None:
        self._loop = loop
        self._path = path
        self._logger = logger
        self._listener: socket.socket | None = None
        self._connections: set[_Connection] = set()
        self._answer: Answer = lambda _line: b""

    def start(self, answer: Answer) -> None:
        """Raises DriverError."""
        self._answer = answer
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
        self._connections.add(_Connection(self._loop, accepted, self._answer, self._closed))
        if len(self._connections) >= _MAX_CONNECTIONS:
            self._loop.remove_reader(self._listener.fileno())  # the others wait in the queue

    def _closed(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        if self._listener is not None:
            self._loop.add_reader(self._listener.fileno(), self._accept)


class _Connection:
    """Reads one line, writes one line, closes; or closes when the time is up."""

    def __init__(
        self,
        loop: Loop,
        connection: socket.socket,
        answer: Answer,
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
            chunk = self._socket.recv(_SERVER_CHUNK_BYTES)
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


class UnixTransport:
    """A ControlTransport to the daemon behind one socket."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.address = str(path)

    def exchange(self, message: bytes, timeout_s: float) -> bytes | None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
            connection.settimeout(timeout_s)
            try:
                self._connect(connection, timeout_s)
            except (FileNotFoundError, ConnectionRefusedError):
                return None
            except OSError as error:
                raise UnreachableError(
                    f"the daemon's control socket cannot be used: {error.strerror or error}",
                    path=self.address,
                    hint="run as the user of the daemon, or root",
                ) from error
            return self._talk(connection, message, timeout_s)

    def _connect(self, connection: socket.socket, timeout_s: float) -> None:
        """Raises OSError. While the daemon's queue is full, try again and again: unlike TCP, unix(7) does not wait."""
        limit = time.monotonic() + timeout_s
        while True:
            try:
                with short_address(self._path) as address:
                    return connection.connect(address)
            except BlockingIOError as error:
                if time.monotonic() >= limit:
                    raise UnreachableError(
                        f"the daemon took no call within {timeout_s:g} s",
                        path=self.address,
                        hint="see its log",
                    ) from error
                time.sleep(_QUEUE_POLL_S)

    def _talk(self, connection: socket.socket, message: bytes, timeout_s: float) -> bytes:
        limit = time.monotonic() + timeout_s
        received = bytearray()
        try:
            connection.sendall(message)
            while not received.endswith(b"\n"):
                connection.settimeout(max(0.001, limit - time.monotonic()))
                chunk = connection.recv(_CLIENT_CHUNK_BYTES)
                received += chunk
                if not chunk or len(received) > MAX_MESSAGE_BYTES:
                    break
        except TimeoutError as error:
            raise UnreachableError(
                f"the daemon did not answer within {timeout_s:g} s", path=self.address, hint="see its log"
            ) from error
        except OSError as error:
            raise UnreachableError(
                f"the daemon closed the connection: {error.strerror or error}", path=self.address
            ) from error
        return bytes(received)
