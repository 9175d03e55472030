# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The loop, on a clock that stands still."""

from __future__ import annotations

import signal
import socket
import threading

import pytest
from support.tunnels import ManualClock
from wirefleet_agent.engine import Loop, Supervisor

SIGNUM = getattr(signal, "SIGUSR1", signal.SIGTERM)  # Windows has no signals of the user's own


def test_deadlines_fire_in_order_and_only_when_due(loop: Loop, clock: ManualClock) -> None:
    fired: list[str] = []
    loop.call_at(clock.now + 2, lambda: fired.append("late"))
    loop.call_at(clock.now + 1, lambda: fired.append("first"))
    loop.call_at(clock.now + 1, lambda: fired.append("second"))

    loop.run_once(0)
    assert fired == []
    clock.now += 1
    loop.run_once(0)

    assert fired == ["first", "second"]


def test_a_cancelled_deadline_does_not_fire(loop: Loop, clock: ManualClock) -> None:
    fired: list[str] = []
    handle = loop.call_at(clock.now + 1, lambda: fired.append("no"))

    handle.cancel()
    handle.cancel()
    clock.now += 2
    loop.run_once(0)

    assert fired == []
    assert handle.callback is None


def test_a_deadline_set_by_a_deadline_waits_for_the_next_turn(loop: Loop, clock: ManualClock) -> None:
    turns: list[int] = []

    def again() -> None:
        turns.append(len(turns))
        loop.call_at(clock.now, again)

    again()
    loop.run_once(0)

    assert turns == [0, 1]


def test_readers_and_writers_are_called_while_they_are_ready(loop: Loop) -> None:
    left, right = socket.socketpair()
    seen: list[str] = []
    loop.add_reader(left.fileno(), lambda: seen.append("read"))
    loop.run_once(0)
    assert seen == []

    right.send(b"x")
    loop.add_writer(left.fileno(), lambda: seen.append("write"))
    loop.run_once(0)
    loop.remove_reader(left.fileno())
    loop.run_once(0)
    loop.remove_writer(left.fileno())
    loop.remove_writer(left.fileno())
    loop.run_once(0)

    assert seen == ["read", "write", "write"]
    left.close()
    right.close()


def test_a_reader_removed_by_an_earlier_callback_of_the_turn_is_not_called(loop: Loop) -> None:
    pairs = [socket.socketpair() for _ in range(2)]
    seen: list[int] = []

    def only(number: int) -> None:
        seen.append(number)
        for left, _ in pairs:
            loop.remove_reader(left.fileno())

    for number, (left, right) in enumerate(pairs):
        loop.add_reader(left.fileno(), lambda number=number: only(number))  # type: ignore[misc]
        right.send(b"x")
    loop.run_once(0)

    assert len(seen) == 1
    for left, right in pairs:
        left.close()
        right.close()


def test_another_thread_wakes_the_loop(loop: Loop) -> None:
    thread = threading.Thread(target=lambda: loop.call_soon_threadsafe(loop.stop))
    thread.start()

    loop.run()

    thread.join()


def test_calls_from_a_callback_wait_for_the_next_turn(loop: Loop) -> None:
    seen: list[int] = []
    loop.call_soon(lambda: (seen.append(1), loop.call_soon(lambda: seen.append(2)))[0])

    loop.run_once(0)
    assert seen == [1]
    loop.run_once(0)

    assert seen == [1, 2]


def test_a_signal_ends_the_loop_and_closing_gives_the_handler_back(clock: ManualClock) -> None:
    loop = Loop(clock)
    before = signal.getsignal(SIGNUM)
    loop.add_signal_handler(SIGNUM, loop.stop)

    signal.raise_signal(SIGNUM)
    loop.run()
    loop.close()
    loop.close()

    assert signal.getsignal(SIGNUM) == before
    loop.call_soon_threadsafe(loop.stop)


def test_a_signal_wakes_a_loop_that_sleeps(loop: Loop) -> None:
    loop.add_signal_handler(SIGNUM, loop.stop)
    thread = threading.Thread(target=lambda: signal.raise_signal(SIGNUM))
    loop.call_soon(thread.start)

    loop.run()

    thread.join()


def test_an_error_of_a_callback_comes_out_of_the_loop(loop: Loop) -> None:
    loop.call_soon(lambda: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        loop.run_once(0)


def test_the_supervisor_takes_errors_and_gives_up_after_many(loop: Loop, clock: ManualClock) -> None:
    supervisor = Supervisor(loop, max_failures=3)

    def fail() -> None:
        clock.now += 1
        loop.call_soon(fail)
        raise ValueError("broken")

    loop.call_soon(fail)
    loop.run()

    assert supervisor.failures == 3
    assert isinstance(supervisor.fatal, ValueError)


def test_rare_errors_never_end_the_loop(loop: Loop, clock: ManualClock) -> None:
    supervisor = Supervisor(loop, max_failures=3)
    for _ in range(10):
        clock.now += 60
        loop.call_soon(lambda: 1 / 0)
        loop.run_once(0)

    assert supervisor.failures == 10
    assert supervisor.fatal is None
