# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What scrapers get: rendered a piece per turn of the loop, once for all who ask meanwhile.

A rendering is good for a second, and for 20 times as long as it took: however many ask, and however many peers there
are, 5 % of the loop's time goes here at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .loop import Handle, Loop

_GOOD_FOR_S = 1.0
_GOOD_FOR_ITS_COST = 20.0
_AFTER_FAILURE_S = 10.0  # the supervisor ends an agent that fails 20 times a minute: this must not be why

Taker = Callable[[bytes | None], None]


class ScrapePage:
    """render: makes the text anew, in pieces of a millisecond or two each."""

    def __init__(self, loop: Loop, render: Callable[[], Iterator[bytes]]) -> None:
        self._loop = loop
        self._render = render
        self._text: bytes | None = None
        self._is_good = False
        self._pieces: Iterator[bytes] | None = None
        self._parts: list[bytes] = []
        self._cost_s = 0.0
        self._takers: list[Taker] = []
        self._expiry: Handle | None = None

    def get(self, taker: Taker) -> None:
        """Call ``taker`` with the text, now or in a later turn; None: it could not be made."""
        if self._is_good:
            taker(self._text)
            return
        self._takers.append(taker)
        if self._pieces is None:
            self._pieces = _begun_later(self._render)
            self._cost_s = 0.0
            self._loop.call_soon(self._step)

    def close(self) -> None:
        """Forget everything; whoever still waits hears nothing. Idempotent."""
        if self._expiry is not None:
            self._expiry.cancel()
        self._takers, self._parts, self._pieces = [], [], None
        self._forget()

    def _step(self) -> None:
        if self._pieces is None:
            return
        began = self._loop.now()
        try:
            piece = next(self._pieces, None)
        except Exception:
            self._finish(None, _AFTER_FAILURE_S)
            raise
        self._cost_s += self._loop.now() - began
        if piece is not None:
            self._parts.append(piece)
            self._loop.call_soon(self._step)
        else:
            self._finish(b"".join(self._parts), max(_GOOD_FOR_S, _GOOD_FOR_ITS_COST * self._cost_s))

    def _finish(self, text: bytes | None, good_for_s: float) -> None:
        takers, self._takers, self._parts, self._pieces = self._takers, [], [], None
        self._text, self._is_good = text, True
        self._expiry = self._loop.call_at(self._loop.now() + good_for_s, self._forget)
        for taker in takers:
            taker(text)

    def _forget(self) -> None:
        """Also gives the memory back: megabytes, where there are thousands of peers."""
        self._text, self._is_good, self._expiry = None, False, None


def _begun_later(render: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
    """So that whatever goes wrong does so in a step."""
    yield from render()
