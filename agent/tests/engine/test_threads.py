# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Calls from other threads into the loop's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from wirefleet_agent.engine import Loop
from wirefleet_agent.engine.threads import LoopCalls, call_on_loop
from wirefleet_agent.errors import RefusedError, UnreachableError


@pytest.fixture
def running() -> Iterator[Loop]:
    """A loop that turns in a thread of its own."""
    loop = Loop(time.monotonic)
    thread = threading.Thread(target=loop.run)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


class Asking:
    """A call from another thread, and how it ended."""

    def __init__(self, action: Callable[[], object]) -> None:
        self._action = action
        self.result: object = None
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self._action()
        except UnreachableError as error:
            self.error = error

    def join(self) -> None:
        self._thread.join(10)
        assert not self._thread.is_alive()


def test_it_runs_on_the_loops_thread_and_returns_the_result(running: Loop) -> None:
    assert call_on_loop(running, threading.get_ident, 5) != threading.get_ident()


def test_what_it_raises_reaches_the_caller(running: Loop) -> None:
    def refuse() -> None:
        raise RefusedError("not now")

    with pytest.raises(RefusedError, match="not now"):
        call_on_loop(running, refuse, 5)


def test_a_call_that_the_loop_did_not_come_to_is_never_made(loop: Loop) -> None:
    made: list[int] = []

    with pytest.raises(UnreachableError):
        call_on_loop(loop, lambda: made.append(1), 0.01)
    loop.run_once(0)

    assert made == []


def test_closing_gives_up_what_waits_and_refuses_what_comes_later(loop: Loop) -> None:
    calls, made = LoopCalls(loop), list[int]()
    waiting = Asking(lambda: calls.call(lambda: made.append(1), 60))
    while loop._wait_s(None) is None:  # until the call is in the loop's queue
        time.sleep(0.001)

    calls.close()
    waiting.join()
    later = Asking(lambda: calls.call(lambda: made.append(2), 60))
    later.join()
    loop.run_once(0)

    assert (type(waiting.error), type(later.error)) == (UnreachableError, UnreachableError)
    assert made == []
