# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Ask the running daemon of a tunnel."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import UnreachableError
from .control_protocol import MAX_MESSAGE_BYTES, Json, decode_reply, encode

_CHUNK_BYTES = 64 * 1024
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


class ControlClient:
    """Calls the daemon behind one socket."""

    def __init__(self, path: Path, *, timeout_s: float = 60.0) -> None:
        self._path = path
        self._timeout_s = timeout_s

    def try_call(self, verb: str, request: Mapping[str, object] | None = None) -> Json | None:
        """The reply; None if no daemon listens. Raises the daemon's own errors, UnreachableError if it hangs."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
            connection.settimeout(self._timeout_s)
            try:
                self._connect(connection)
            except (FileNotFoundError, ConnectionRefusedError):
                return None
            except OSError as error:
                raise UnreachableError(
                    f"the daemon's control socket cannot be used: {error.strerror or error}",
                    path=str(self._path),
                    hint="run as the user of the daemon, or root",
                ) from error
            return decode_reply(self._exchange(connection, encode({"verb": verb, "request": dict(request or {})})))

    def call(self, verb: str, request: Mapping[str, object] | None = None) -> Json:
        """Like ``try_call``, but raises UnreachableError if no daemon listens."""
        reply = self.try_call(verb, request)
        if reply is None:
            raise UnreachableError(
                "the tunnel's daemon is not running", path=str(self._path), hint="wirefleet-agent daemon start"
            )
        return reply

    def _connect(self, connection: socket.socket) -> None:
        """Raises OSError. While the daemon's queue is full, try again and again: unlike TCP, unix(7) does not wait."""
        limit = time.monotonic() + self._timeout_s
        while True:
            try:
                with short_address(self._path) as address:
                    return connection.connect(address)
            except BlockingIOError as error:
                if time.monotonic() >= limit:
                    raise UnreachableError(
                        f"the daemon took no call within {self._timeout_s:g} s",
                        path=str(self._path),
                        hint="see its log",
                    ) from error
                time.sleep(_QUEUE_POLL_S)

    def _exchange(self, connection: socket.socket, message: bytes) -> bytes:
        limit = time.monotonic() + self._timeout_s
        received = bytearray()
        try:
            connection.sendall(message)
            while not received.endswith(b"\n"):
                connection.settimeout(max(0.001, limit - time.monotonic()))
                chunk = connection.recv(_CHUNK_BYTES)
                received += chunk
                if not chunk or len(received) > MAX_MESSAGE_BYTES:
                    break
        except TimeoutError as error:
            raise UnreachableError(
                f"the daemon did not answer within {self._timeout_s:g} s", path=str(self._path), hint="see its log"
            ) from error
        except OSError as error:
            raise UnreachableError(
                f"the daemon closed the connection: {error.strerror or error}", path=str(self._path)
            ) from error
        return bytes(received)
