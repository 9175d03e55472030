# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""From a thread of a server into the loop's thread, where everything that carries packets lives."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from ..errors import UnreachableError
from .loop import Loop

T = TypeVar("T")


class LoopCalls:
    """Calls from other threads, all of which can be given up at once: whoever joins those threads on the loop's own
    thread would otherwise wait for calls that wait for him."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._pending: set[_Call[object]] = set()
        self._is_closed = False

    def call(self, function: Callable[[], T], timeout_s: float) -> T:
        """Run it in a turn of the loop; its result, or whatever it raised.

        Not from the loop's own thread. Raises UnreachableError when the loop did not come to it in time or when the
        calls were closed; it is then never run. A call that has begun is waited for.
        """
        made: _Call[T] = _Call(function)
        with self._lock:
            if self._is_closed:
                raise _given_up()
            self._pending.add(made)  # type: ignore[arg-type]  # a set of calls of any kind
        try:
            self._loop.call_soon_threadsafe(made.run)
            return made.outcome(timeout_s)
        finally:
            with self._lock:
                self._pending.discard(made)

    def close(self) -> None:
        """Give up calls that have not begun, and refuse new ones. From the loop's thread. Idempotent."""
        with self._lock:
            self._is_closed = True
            pending = list(self._pending)
        for made in pending:
            made.give_up()


def call_on_loop(loop: Loop, function: Callable[[], T], timeout_s: float) -> T:
    """One call; see LoopCalls.call."""
    return LoopCalls(loop).call(function, timeout_s)


class _Call(Generic[T]):
    """Begun or given up, never both."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._is_taken = False
        self._done = threading.Event()
        self._results: list[T] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        if not self._take():
            return
        try:
            self._results.append(self._function())
        except Exception as error:  # noqa: BLE001  # it belongs to the caller
            self._error = error
        self._done.set()

    def give_up(self) -> None:
        if self._take():
            self._error = _given_up()
            self._done.set()

    def outcome(self, timeout_s: float) -> T:
        if not self._done.wait(timeout_s):
            self.give_up()
            self._done.wait()
        if self._error is not None:
            raise self._error
        return self._results[0]

    def _take(self) -> bool:
        with self._lock:
            is_free, self._is_taken = not self._is_taken, True
        return is_free


def _given_up() -> UnreachableError:
    return UnreachableError("the tunnel's loop did not come to it", hint="it is stopping, or stuck: see its log")
