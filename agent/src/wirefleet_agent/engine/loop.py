# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""One thread, one poller: file descriptors, deadlines, and calls from elsewhere.

Not asyncio: packets are handled in plain callbacks, where a coroutine per wake-up would cost more than the AEAD.
A callback that raises ends ``run()`` with that error, unless the supervisor's ``on_error`` takes it.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import signal
from collections import deque
from collections.abc import Callable

from ..drivers.doorbell import signal_pair
from .poller import READ, WRITE, make_poller

Callback = Callable[[], None]
Clock = Callable[[], float]
ErrorHandler = Callable[[Exception], None]

_WAKE_READ_BYTES = 4096


class Handle:
    """One scheduled call. ``cancel`` is idempotent, also after the call was made; ``callback`` is None from then on."""

    __slots__ = ("callback", "when")

    def __init__(self, when: float, callback: Callback) -> None:
        self.when = when
        self.callback: Callback | None = callback

    def cancel(self) -> None:
        self.callback = None

    def take(self) -> Callback | None:
        """The callback, once; None after ``cancel``."""
        callback, self.callback = self.callback, None
        return callback


class Loop:
    """A poll loop. clock: monotonic seconds; tests pass their own and turn the loop with ``run_once(0)``."""

    def __init__(self, clock: Clock, *, on_error: ErrorHandler | None = None) -> None:
        self._clock = self.now = clock
        self.on_error = on_error
        self._poller = make_poller()
        self._poll = self._poller.poll
        self._readers: dict[int, Callback] = {}
        self._writers: dict[int, Callback] = {}
        self._deadlines: list[tuple[float, int, Handle]] = []
        self._order = itertools.count()
        self._soon: deque[Callback] = deque()
        self._signals: dict[int, object] = {}
        self._is_stopping = False
        self._is_closed = False
        self._wake_reader, self._wake_writer = signal_pair()
        self.add_reader(self._wake_reader.fileno(), self._drain_wake_ups)

    def add_reader(self, fd: int, callback: Callback) -> None:
        """Call ``callback`` in every turn in which ``fd`` is readable; replaces an earlier one."""
        self._readers[fd] = callback
        self._update(fd)

    def remove_reader(self, fd: int) -> None:
        """Idempotent. Call it before the descriptor is closed."""
        if self._readers.pop(fd, None) is not None:
            self._update(fd)

    def add_writer(self, fd: int, callback: Callback) -> None:
        self._writers[fd] = callback
        self._update(fd)

    def remove_writer(self, fd: int) -> None:
        if self._writers.pop(fd, None) is not None:
            self._update(fd)

    def call_at(self, when: float, callback: Callback) -> Handle:
        """Call once when the clock reads ``when`` or later; equal deadlines keep their order."""
        handle = Handle(when, callback)
        heapq.heappush(self._deadlines, (when, next(self._order), handle))
        return handle

    def call_soon(self, callback: Callback) -> None:
        """Call in the next turn."""
        self._soon.append(callback)

    def call_soon_threadsafe(self, callback: Callback) -> None:
        """Like ``call_soon``, from any thread or signal handler; wakes the loop. Nothing happens once closed."""
        self._soon.append(callback)
        self._wake()

    def add_signal_handler(self, signum: int, callback: Callback) -> None:
        """Call ``callback`` in a turn of the loop after the signal; main thread only.

        The wake-up descriptor closes the race between the last check for signals and the poller's sleep.
        """
        signal.set_wakeup_fd(self._wake_writer.fileno(), warn_on_full_buffer=False)
        previous = signal.signal(signum, lambda _signum, _frame: self.call_soon_threadsafe(callback))
        self._signals.setdefault(signum, previous)

    def run(self) -> None:
        """Turn until ``stop``. Can be called again."""
        self._is_stopping = False
        while not self._is_stopping:
            self.run_once()

    def run_once(self, timeout_s: float | None = None) -> None:
        """One turn: wait for work (at most ``timeout_s``; None until there is some), then do what is due."""
        for fd, events in self._poll(self._wait_s(timeout_s)):
            if events == READ:
                self._call(self._readers.get(fd))
                continue
            if events != WRITE:
                self._call(self._readers.get(fd))
            self._call(self._writers.get(fd))
        if self._deadlines and self._deadlines[0][0] <= self._clock():
            self._run_deadlines()
        for _ in range(len(self._soon)):
            self._call(self._soon.popleft())

    def stop(self) -> None:
        """End ``run`` after this turn; from other threads through ``call_soon_threadsafe(loop.stop)``."""
        self._is_stopping = True

    def close(self) -> None:
        """Release the descriptors and give the signals back. Idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._signals:
            signal.set_wakeup_fd(-1)
            for signum, previous in self._signals.items():
                signal.signal(signum, previous)  # type: ignore[arg-type]  # what signal.signal itself returned
        self._poller.close()
        self._wake_reader.close()
        self._wake_writer.close()

    def _update(self, fd: int) -> None:
        if self._is_closed:
            return
        self._poller.watch(fd, (READ if fd in self._readers else 0) | (WRITE if fd in self._writers else 0))

    def _wait_s(self, limit_s: float | None) -> float | None:
        if self._soon or self._is_stopping:
            return 0.0
        deadlines = self._deadlines
        while deadlines and deadlines[0][2].callback is None:
            heapq.heappop(deadlines)
        if not deadlines:
            return limit_s
        until_s = deadlines[0][0] - self._clock()
        if until_s <= 0:
            return 0.0
        return until_s if limit_s is None else min(until_s, limit_s)

    def _run_deadlines(self) -> None:
        """Calls that are due now; what they schedule waits for the next turn, so a turn always ends."""
        now = self._clock()
        due: list[Handle] = []
        while self._deadlines and self._deadlines[0][0] <= now:
            due.append(heapq.heappop(self._deadlines)[2])
        for handle in due:
            self._call(handle.take())

    def _call(self, callback: Callback | None) -> None:
        if callback is None:
            return
        if self.on_error is None:
            callback()
            return
        try:
            callback()
        except Exception as error:  # noqa: BLE001  # the supervisor's door; it logs and decides
            self.on_error(error)

    def _wake(self) -> None:
        # A full buffer means that a wake-up is already waiting; a closed socket that nobody waits.
        with contextlib.suppress(BlockingIOError, OSError):
            self._wake_writer.send(b"\0")

    def _drain_wake_ups(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wake_reader.recv(_WAKE_READ_BYTES):
                pass
