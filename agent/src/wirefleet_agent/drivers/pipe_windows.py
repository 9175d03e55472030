# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Named pipes for local clients: a server with one thread per connection, and the client's end.

A pipe's name is not a file in a private directory: any user may take a name that is free. So the server insists on
being the first with its name, the DACL lets nobody else add an instance, and a client looks at the owner of the pipe
object before it says a word: an ordinary user's process cannot make a pipe that belongs to the administrators.

Clients that hang cost one thread each and are bounded: the newest takes the place of whoever was silent longest.
Two instances always wait for clients, because wg.exe gives up at once when all are busy.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from ..errors import DriverError

ADMINISTRATORS_ONLY = "O:BAD:P(A;;GA;;;SY)(A;;GA;;;BA)"  # owner: Administrators; all access: SYSTEM, Administrators
ADMINISTRATORS_SID = "S-1-5-32-544"
SYSTEM_SID = "S-1-5-18"
ERROR_PIPE_NOT_CONNECTED = 233

_LISTENERS = 2
_RETRY_S = 1.0
_LOST_S = 0.01  # a pause, should clients be lost again and again
_END_S = 2.0  # longer than a connection lives that was cancelled

_log = structlog.get_logger(room="drivers")


class PipeConnection(Protocol):
    """One side of a connection, for one thread. client_pid: the process that connected."""

    client_pid: int

    def read(self, max_bytes: int) -> bytes:
        """What has come, at least one byte; b"" when the other side has gone. Raises TimeoutError when it is silent."""

    def write(self, data: bytes) -> None:
        """All of it. Raises OSError when the other side has gone, TimeoutError when it does not read."""

    def close(self) -> None: ...


class PipeEnd(Protocol):
    """What the binding gives for one handle. All but ``cancel`` belongs to one thread."""

    @property
    def client_pid(self) -> int: ...

    @property
    def owner_sid(self) -> str:
        """Who owns the pipe object, which its server's DACL lets us read. Raises OSError."""

    def read(self, max_bytes: int, timeout_s: float) -> bytes: ...

    def write(self, data: bytes, timeout_s: float) -> None: ...

    def cancel(self) -> None:
        """From any thread: waits for a client and reads end now (False, b""), and so do all later ones."""

    def close(self) -> None:
        """Idempotent. What was written can still be read by the other side."""


class PipeInstance(PipeEnd, Protocol):
    """The server's side of one connection to come."""

    def wait_for_client(self) -> bool:
        """Whether there is one; False after ``cancel``. Raises OSError."""


@dataclass(frozen=True)
class Caller:
    """Who this process is. is_administrator: with administrators' rights in effect, not merely entitled to them."""

    user_sid: str
    is_administrator: bool


class PipeApi(Protocol):
    """The narrow part of Win32 that pipes need."""

    def create(self, name: str, sddl: str, *, is_first: bool) -> PipeInstance:
        """Raises OSError; PermissionError if is_first and the name is taken."""

    def connect(self, name: str, timeout_s: float) -> PipeEnd:
        """Waits while all instances are busy. Raises FileNotFoundError, TimeoutError, PermissionError, OSError."""

    def caller(self) -> Caller: ...


class _Connection:
    """A PipeEnd with its time-out."""

    def __init__(self, end: PipeEnd, timeout_s: float) -> None:
        self.client_pid = end.client_pid
        self.last_active = time.monotonic()
        self.is_cancelled = False
        self._end = end
        self._timeout_s = timeout_s

    def read(self, max_bytes: int) -> bytes:
        data = self._end.read(max_bytes, self._timeout_s)
        self.last_active = time.monotonic()
        return data

    def write(self, data: bytes) -> None:
        self._end.write(data, self._timeout_s)
        self.last_active = time.monotonic()

    def cancel(self) -> None:
        self.is_cancelled = True
        self._end.cancel()

    def close(self) -> None:
        self._end.close()


class PipeServer:
    """Calls ``serve`` in a thread of its own for each connection, and closes the connection afterwards.

    name: the whole name, from ``\\\\.\\pipe\\`` on. serve: may end with OSError (TimeoutError too): only the
    connection ends then. max_clients: with one more, the connection that was silent longest is cancelled.
    """

    def __init__(
        self,
        name: str,
        serve: Callable[[PipeConnection], None],
        *,
        sddl: str = ADMINISTRATORS_ONLY,
        max_clients: int = 16,
        idle_timeout_s: float = 10.0,
        api: PipeApi | None = None,
    ) -> None:
        self.name = name
        self._serve = serve
        self._sddl = sddl
        self._max_clients = max_clients
        self._idle_timeout_s = idle_timeout_s
        self._api = api or load_pipes()
        self._changed = threading.Condition()
        self._is_stopping = threading.Event()
        self._listening: set[PipeInstance] = set()
        self._connections: dict[_Connection, threading.Thread] = {}
        self._acceptors: list[threading.Thread] = []

    def start(self) -> None:
        """Raises DriverError, mostly because the name is taken."""
        self._is_stopping.clear()
        try:
            for number in range(_LISTENERS):
                self._listening.add(self._api.create(self.name, self._sddl, is_first=number == 0))
        except OSError as error:
            self._close_listening()
            raise self._failure(error) from error
        for instance in tuple(self._listening):
            thread = threading.Thread(target=self._accept, args=(instance,), name=f"pipe {self.name}", daemon=True)
            self._acceptors.append(thread)
            thread.start()

    def stop(self) -> None:
        """Idempotent. Nobody connects any more, reads end, answers under way get a moment, all threads have ended."""
        self._is_stopping.set()
        with self._changed:
            for instance in self._listening:
                instance.cancel()
            for connection in self._connections:
                connection.cancel()
            self._changed.notify_all()
        for thread in self._acceptors:
            thread.join()
        self._acceptors.clear()
        with self._changed:
            threads = list(self._connections.values())
        for thread in threads:
            thread.join()

    def _accept(self, instance: PipeInstance) -> None:
        """One listener: each client's instance is handed over, and the next one waits in its place."""
        while True:
            has_client = self._wait_for_client(instance)
            successor = self._next_instance()
            with self._changed:
                self._listening.discard(instance)
                if successor is not None:
                    self._listening.add(successor)
                if not has_client or not self._begin(instance):
                    instance.close()
                if self._is_stopping.is_set() or successor is None:
                    break
            instance = successor
        if successor is not None:
            successor.close()

    def _wait_for_client(self, instance: PipeInstance) -> bool:
        try:
            return instance.wait_for_client()
        except OSError:  # it has gone already
            self._is_stopping.wait(_LOST_S)
            return False

    def _next_instance(self) -> PipeInstance | None:
        """Made before the present client is served, so that the next one finds the name. None: we are stopping."""
        while not self._is_stopping.is_set():
            try:
                return self._api.create(self.name, self._sddl, is_first=False)
            except OSError as error:
                _log.warning("pipe_instance_not_created", pipe=self.name, error=str(error))
            self._is_stopping.wait(_RETRY_S)
        return None

    def _begin(self, instance: PipeInstance) -> bool:
        """Whether the connection is served from now on. Needs the lock."""
        try:
            connection = _Connection(instance, self._idle_timeout_s)
        except OSError:  # it has gone before we could ask who it is
            return False
        active = [known for known in self._connections if not known.is_cancelled]
        if len(active) >= self._max_clients:
            min(active, key=lambda known: known.last_active).cancel()
        if not self._changed.wait_for(self._has_room, _END_S) or self._is_stopping.is_set():
            return False
        thread = threading.Thread(target=self._converse, args=(connection,), name=f"pipe {self.name}", daemon=True)
        self._connections[connection] = thread
        thread.start()
        return True

    def _has_room(self) -> bool:
        """Connections that were cancelled count until they have ended, so that a flood of clients is bounded too."""
        return len(self._connections) < 2 * self._max_clients or self._is_stopping.is_set()

    def _converse(self, connection: _Connection) -> None:
        try:
            self._serve(connection)
        except OSError as error:
            _log.debug("pipe_connection_ended", pipe=self.name, pid=connection.client_pid, error=str(error))
        except Exception:  # noqa: BLE001  # the thread's door: logged, and the server lives on
            _log.exception("pipe_connection_failed", pipe=self.name, pid=connection.client_pid)
        finally:
            connection.close()
            with self._changed:
                del self._connections[connection]
                self._changed.notify_all()

    def _close_listening(self) -> None:
        for instance in self._listening:
            instance.close()
        self._listening.clear()

    def _failure(self, error: OSError) -> DriverError:
        is_taken = isinstance(error, PermissionError)
        return DriverError(
            error.strerror or str(error),
            call="CreateNamedPipe",
            os_code=getattr(error, "winerror", None) or error.errno or 0,
            path=self.name,
            hint="does another process serve this name? If not, run it as an administrator" if is_taken else None,
        )


def connect_pipe(name: str, *, timeout_s: float, api: PipeApi | None = None) -> PipeConnection:
    """Connect to a server of the administrators, or of ourselves. timeout_s: for connecting, each read, each write.

    Raises FileNotFoundError if nobody serves the name, PermissionError if we may not or if its server is not to be
    trusted, TimeoutError if all its instances stay busy, OSError.
    """
    pipes = api or load_pipes()
    end = pipes.connect(name, timeout_s)
    try:
        owner = end.owner_sid
        if not is_trusted(owner, pipes.caller()):
            raise PermissionError(13, f"the pipe belongs to {owner}, who is no administrator", name)
        return _Connection(end, timeout_s)
    except OSError:
        end.close()
        raise


def is_trusted(owner_sid: str, caller: Caller) -> bool:
    """Whether a caller may talk to a pipe of this owner.

    An administrator does not trust pipes of his own user: any process of his, without administrators' rights, can
    make one.
    """
    return owner_sid in (SYSTEM_SID, ADMINISTRATORS_SID) or (
        not caller.is_administrator and owner_sid == caller.user_sid
    )


def load_pipes() -> PipeApi:
    """The binding. Raises DriverError where there is none."""
    if sys.platform == "win32":
        from .win32.pipes import WindowsPipes

        return WindowsPipes()
    raise DriverError("named pipes exist on Windows only", call="CreateNamedPipe")
