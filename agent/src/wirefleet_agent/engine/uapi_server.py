# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The socket that wg(8) speaks to: /var/run/wireguard/IFNAME.sock (checklist 45).

One thread, the loop's. Clients that hang cannot lock others out: whoever is silent too long is dropped, and when all
places are taken, the newest gets that of whoever was silent longest.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog

from ..control import Applier
from ..control.uapi import GetRequest, RequestReader, SetRequest, UapiError
from ..errors import DriverError
from .loop import Handle, Loop
from .tunnel import Tunnel
from .uapi_answers import CHUNK_BYTES, IDLE_TIMEOUT_S, UapiAnswers

assert sys.platform != "win32"

DEFAULT_DIRECTORY = Path("/var/run/wireguard")

_BACKLOG = 16
_MAX_CLIENTS = 64
_POLL_S = 1.0
_RESTORE_RETRY_S = 10.0
_ACCEPT_RETRY_S = 1.0
_PRIVATE_UMASK = 0o077

_log = structlog.get_logger(room="engine")


class UapiServer:
    """Answers get and set for one tunnel.

    on_removed: somebody deleted or replaced the socket's file, which ends a tunnel as in wireguard-go.
    """

    def __init__(
        self,
        loop: Loop,
        tunnel: Tunnel,
        applier: Applier,
        *,
        directory: Path = DEFAULT_DIRECTORY,
        on_removed: Callable[[], None] | None = None,
    ) -> None:
        self.path = directory / f"{tunnel.name}.sock"
        self.on_removed = on_removed
        self._loop = loop
        self._tunnel = tunnel
        self._answers = UapiAnswers(loop, tunnel, applier)
        self._listener: socket.socket | None = None
        self._inode = 0
        self._timer: Handle | None = None
        self._pause: Handle | None = None
        self._clients: set[_Client] = set()

    def start(self) -> None:
        """Raises DriverError; EADDRINUSE when another process answers on the socket."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._remove_stale()
            self._listener = self._bind()
            self._inode = self.path.stat().st_ino
        except OSError as error:
            self.stop()
            raise DriverError(
                os.strerror(error.errno or 0),
                call="bind",
                os_code=error.errno or 0,
                path=str(self.path),
                hint="is another process serving this interface?",
            ) from error
        self._loop.add_reader(self._listener.fileno(), self._accept)
        self._timer = self._loop.call_at(self._loop.now() + _POLL_S, self._check_file)

    def start_again(self) -> None:
        """``start`` for a tunnel that outlives its socket; while another process has the path, try again and again."""
        try:
            self.start()
        except DriverError as error:
            _log.warning("uapi_socket_not_restored", tunnel=self._tunnel.name, error=str(error))
            self._timer = self._loop.call_at(self._loop.now() + _RESTORE_RETRY_S, self.start_again)

    def stop(self) -> None:
        """Idempotent. Removes the file, unless somebody else's has taken its place."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        for client in list(self._clients):
            client.close()
        if self._listener is None:
            return
        self._loop.remove_reader(self._listener.fileno())
        self._listener.close()
        self._listener = None
        if self._is_ours():
            with contextlib.suppress(OSError):
                self.path.unlink()

    def _remove_stale(self) -> None:
        """A file that nobody answers on is left over from a process that was killed."""
        if not self.path.exists():
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
            try:
                probe.connect(str(self.path))
            except BlockingIOError:
                pass  # its queue is full: somebody is there, however slow
            except OSError:
                self.path.unlink(missing_ok=True)
                return
        raise DriverError(
            "the interface's socket is in use",
            call="bind",
            os_code=errno.EADDRINUSE,
            path=str(self.path),
            hint="another process serves this interface",
        )

    def _bind(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        earlier = os.umask(_PRIVATE_UMASK)
        try:
            listener.bind(str(self.path))
            self.path.chmod(0o600)
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
        finally:
            os.umask(earlier)
        return listener

    def _is_ours(self) -> bool:
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    def _check_file(self) -> None:
        if self._is_ours():
            self._timer = self._loop.call_at(self._loop.now() + _POLL_S, self._check_file)
            return
        _log.info("uapi_socket_removed", tunnel=self._tunnel.name, path=str(self.path))
        self.stop()
        if self.on_removed is not None:
            self.on_removed()

    def _accept(self) -> None:
        if self._listener is None:
            return
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            # No descriptors or no memory are left, and the connection stays in the queue: it would wake us at once.
            _log.warning("uapi_accept_failed", tunnel=self._tunnel.name, error=str(error))
            self._loop.remove_reader(self._listener.fileno())
            self._pause = self._loop.call_at(self._loop.now() + _ACCEPT_RETRY_S, self._accept_again)
            return
        connection.setblocking(False)
        if len(self._clients) >= _MAX_CLIENTS:
            min(self._clients, key=lambda client: client.last_active).close()
        self._clients.add(_Client(self._loop, connection, self._answers.answer, self._clients.discard))

    def _accept_again(self) -> None:
        self._pause = None
        if self._listener is not None:
            self._loop.add_reader(self._listener.fileno(), self._accept)


class _Client:
    """One connection, kept alive (checklist 40). While a reply is on its way nothing more is read: no buffer grows."""

    def __init__(
        self,
        loop: Loop,
        connection: socket.socket,
        answer: Callable[[GetRequest | SetRequest], Iterator[bytes]],
        on_close: Callable[[_Client], None],
    ) -> None:
        self._loop = loop
        self._socket = connection
        self._answer = answer
        self._on_close = on_close
        self._reader = RequestReader()
        self._requests: Iterator[GetRequest | SetRequest] = iter(())
        self._pieces: Iterator[bytes] = iter(())
        self._unsent = memoryview(b"")
        self._is_last = True
        self.last_active = loop.now()
        self._idle_check = loop.call_at(self.last_active + IDLE_TIMEOUT_S, self._drop_if_idle)
        loop.add_reader(connection.fileno(), self._read)

    def close(self) -> None:
        if self._socket.fileno() < 0:
            return
        self._idle_check.cancel()
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()
        self._on_close(self)

    def _drop_if_idle(self) -> None:
        """Looks once per time-out instead of moving a deadline with every piece."""
        until = self.last_active + IDLE_TIMEOUT_S
        if until > self._loop.now():
            self._idle_check = self._loop.call_at(until, self._drop_if_idle)
        else:
            self.close()

    def _read(self) -> None:
        try:
            chunk = self._socket.recv(CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        if not chunk:
            self.close()
            return
        self.last_active = self._loop.now()
        self._requests = self._reader.feed(chunk)
        self._serve()

    def _serve(self) -> None:
        """Answer the complete requests, one by one, as fast as the client reads the answers."""
        try:
            for request in self._requests:
                self._pieces = self._answer(request)
                if not self._send():
                    return
        except UapiError as error:
            _log.debug("uapi_connection_closed", reason=str(error))
            self.close()

    def _send(self) -> bool:
        """Send a piece. Whether the reply has ended; otherwise it goes on in later turns, when the client takes it."""
        if not self._unsent:
            piece = next(self._pieces)
            self._is_last = piece.endswith(b"\n\n")
            self._unsent = memoryview(piece)
        try:
            while self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
                self.last_active = self._loop.now()
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return False
        if self._is_last and not self._unsent:
            return True
        self._loop.remove_reader(self._socket.fileno())
        self._loop.add_writer(self._socket.fileno(), self._continue)
        return False

    def _continue(self) -> None:
        if not self._send():
            return
        self._loop.remove_writer(self._socket.fileno())
        self._loop.add_reader(self._socket.fileno(), self._read)
        self._serve()
