# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""GET /metrics over HTTP/1.1, on the loop, for callers that are not trusted.

What a caller can cost is bounded: a head of 8 KiB within 5 s, an answer within 20 s, 4 connections of one caller and 16
of all, one rendering for everybody. When places run out, whoever holds most of them loses the oldest: a peer that
floods us shuts out itself. One request per connection, and no errors to the log: they are counted.
"""

from __future__ import annotations

import contextlib
import socket
from collections import Counter
from collections.abc import Callable, Collection, Hashable
from functools import partial

import structlog

from ..drivers.tcp_listeners import ListenAt, open_listener
from ..errors import DriverError
from .loop import Handle, Loop
from .scrape_page import ScrapePage
from .scrape_request import END_OF_HEAD, MAX_HEAD_BYTES, Status, answer_head, status_of

MAX_CONNECTIONS = 16
MAX_CONNECTIONS_OF_ONE = 4
HEAD_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 20.0
FAREWELL_S = 1.0
OUTCOMES = ("answered", "invalid", "refused", "displaced", "failed")

_READ_BYTES = 4096
_SEND_BYTES = 64 * 1024
_PAUSE_S = 1.0

Admit = Callable[[ListenAt, str], Hashable | None]
"""Where somebody called, and from which numeric address -> who that is; None: nobody that may call."""

_log = structlog.get_logger(room="engine")


class ScrapeServer:
    """counts: what became of connections: ``answered``, ``invalid``, ``refused``, ``displaced``, ``failed``."""

    def __init__(self, loop: Loop, page: ScrapePage, content_type: str, admit: Admit) -> None:
        self.counts: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))
        self._loop = loop
        self._page = page
        self._content_type = content_type
        self._admit = admit
        self._listeners: dict[ListenAt, socket.socket] = {}
        self._troubles: dict[ListenAt, str] = {}
        self._pauses: dict[ListenAt, Handle] = {}
        self._connections: list[_Connection] = []  # the oldest first

    @property
    def places(self) -> frozenset[ListenAt]:
        """Where it listens now."""
        return frozenset(self._listeners)

    def listen_at(self, places: Collection[ListenAt]) -> None:
        """Listen there and nowhere else; what is not possible yet is tried again with the next call."""
        for at in self._listeners.keys() - set(places):
            self._close(at)
        for at in self._troubles.keys() - set(places):
            del self._troubles[at]
        for at in places:
            if at not in self._listeners:
                self._open(at)

    def close(self) -> None:
        """Idempotent."""
        for at in list(self._listeners):
            self._close(at)
        for connection in list(self._connections):
            connection.close("failed")
        self._page.close()

    def _open(self, at: ListenAt) -> None:
        try:
            listener = open_listener(at)
        except DriverError as error:
            if self._troubles.get(at) != str(error):
                self._troubles[at] = str(error)
                _log.warning("metrics_not_listening", at=str(at), error=str(error))
            return
        self._troubles.pop(at, None)
        self._listeners[at] = listener
        self._loop.add_reader(listener.fileno(), partial(self._accept, at))
        _log.info("metrics_listening", at=str(at))

    def _close(self, at: ListenAt) -> None:
        pause = self._pauses.pop(at, None)
        if pause is not None:
            pause.cancel()
        listener = self._listeners.pop(at)
        self._loop.remove_reader(listener.fileno())
        listener.close()
        for connection in [each for each in self._connections if each.at == at]:
            connection.close("failed")

    def _accept(self, at: ListenAt) -> None:
        listener = self._listeners[at]
        try:
            accepted, source = listener.accept()
        except (BlockingIOError, ConnectionError, InterruptedError):
            return
        except OSError as error:
            # No descriptors left, mostly: the caller stays in the queue, and the loop would turn for nothing else.
            _log.warning("metrics_accept_failed", at=str(at), error=str(error))
            self._loop.remove_reader(listener.fileno())
            self._pauses[at] = self._loop.call_at(self._loop.now() + _PAUSE_S, partial(self._resume, at))
            return
        accepted.setblocking(False)
        caller = self._admit(at, str(source[0]).partition("%")[0])
        if caller is None:
            self.counts["refused"] += 1
            accepted.close()
            return
        self._make_room(caller)
        self._connections.append(_Connection(self._loop, accepted, at, caller, self._answer, self._closed))

    def _resume(self, at: ListenAt) -> None:
        self._pauses.pop(at, None)
        self._loop.add_reader(self._listeners[at].fileno(), partial(self._accept, at))

    def _make_room(self, caller: Hashable) -> None:
        holders = Counter(connection.caller for connection in self._connections)
        if holders[caller] >= MAX_CONNECTIONS_OF_ONE:
            greediest = caller
        elif len(self._connections) >= MAX_CONNECTIONS:
            greediest = holders.most_common(1)[0][0]
        else:
            return
        next(each for each in self._connections if each.caller == greediest).close("displaced")

    def _answer(self, connection: _Connection, status: Status) -> None:
        if status is Status.OK:
            self._page.get(partial(self._send_page, connection))
        else:
            connection.send(answer_head(status), b"", "invalid")

    def _send_page(self, connection: _Connection, text: bytes | None) -> None:
        if text is None:
            connection.send(answer_head(Status.UNAVAILABLE), b"", "failed")
        else:
            head = answer_head(Status.OK, content_type=self._content_type, length=len(text))
            connection.send(head, text, "answered")

    def _closed(self, connection: _Connection, outcome: str) -> None:
        self.counts[outcome] += 1
        self._connections.remove(connection)


class _Connection:
    """Reads one head, sends one answer, and waits a moment for the other side to close: unread bytes would make the
    system throw the answer away."""

    def __init__(
        self,
        loop: Loop,
        connection: socket.socket,
        at: ListenAt,
        caller: Hashable,
        answer: Callable[[_Connection, Status], None],
        on_close: Callable[[_Connection, str], None],
    ) -> None:
        self.at = at
        self.caller = caller
        self._loop = loop
        self._socket = connection
        self._answer = answer
        self._on_close = on_close
        self._head = bytearray()
        self._unsent: list[memoryview] = []
        self._outcome = "failed"
        self._deadline = self._until(HEAD_TIMEOUT_S)
        loop.add_reader(connection.fileno(), self._read)

    def close(self, outcome: str | None = None) -> None:
        """outcome: unless the answer decided it. Idempotent."""
        if self._socket.fileno() < 0:
            return
        self._deadline.cancel()
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()
        self._on_close(self, outcome or self._outcome)

    def send(self, head: bytes, body: bytes, outcome: str) -> None:
        """The whole answer; ``outcome`` counts once it is sent."""
        if self._socket.fileno() < 0:
            return
        self._unsent = [memoryview(each) for each in (head, body) if each]
        self._loop.add_writer(self._socket.fileno(), partial(self._write, outcome))

    def _until(self, seconds: float) -> Handle:
        return self._loop.call_at(self._loop.now() + seconds, self.close)

    def _read(self) -> None:
        try:
            chunk = self._socket.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            chunk = b""
        if not chunk:
            self.close()
            return
        searched = max(0, len(self._head) - len(END_OF_HEAD) + 1)
        self._head += chunk
        end = self._head.find(END_OF_HEAD, searched)
        if 0 <= end <= MAX_HEAD_BYTES:
            self._take(status_of(bytes(self._head[:end])))
        elif end > MAX_HEAD_BYTES or len(self._head) > MAX_HEAD_BYTES:
            self._take(Status.BAD_REQUEST)

    def _take(self, status: Status) -> None:
        self._head.clear()
        self._deadline.cancel()
        self._deadline = self._until(ANSWER_TIMEOUT_S)
        self._loop.remove_reader(self._socket.fileno())
        self._answer(self, status)

    def _write(self, outcome: str) -> None:
        """A piece per turn."""
        try:
            sent = self._socket.send(self._unsent[0][:_SEND_BYTES])
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close()
            return
        self._unsent[0] = self._unsent[0][sent:]
        if not self._unsent[0]:
            self._unsent.pop(0)
        if not self._unsent:
            self._outcome = outcome
            self._say_farewell()

    def _say_farewell(self) -> None:
        self._loop.remove_writer(self._socket.fileno())
        self._deadline.cancel()
        self._deadline = self._until(FAREWELL_S)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        self._loop.add_reader(self._socket.fileno(), self._discard)

    def _discard(self) -> None:
        try:
            if self._socket.recv(_READ_BYTES):
                return
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            pass
        self.close()
