# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""One rendering for everybody, a piece per turn, and never more than a share of the loop's time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.tunnels import ManualClock
from wirefleet_agent.engine import Loop, ScrapePage


class Renderings:
    """Counts the renderings; each has three pieces, and each piece costs ``cost_s``."""

    def __init__(self, clock: ManualClock) -> None:
        self.begun = 0
        self.cost_s = 0.0
        self.pieces = 0
        self.error: Exception | None = None
        self._clock = clock

    def __call__(self) -> Iterator[bytes]:
        self.begun += 1
        if self.error is not None:
            raise self.error
        for letter in b"abc":
            self._clock.now += self.cost_s
            self.pieces += 1
            yield bytes([letter])


@pytest.fixture
def renderings(clock: ManualClock) -> Renderings:
    return Renderings(clock)


@pytest.fixture
def page(loop: Loop, renderings: Renderings) -> ScrapePage:
    return ScrapePage(loop, renderings)


def turn(loop: Loop, turns: int = 10) -> None:
    for _ in range(turns):
        loop.run_once(0)


def test_a_turn_of_the_loop_makes_one_piece(loop: Loop, page: ScrapePage, renderings: Renderings) -> None:
    texts: list[bytes | None] = []
    page.get(texts.append)

    made = []
    for _ in range(5):
        loop.run_once(0)
        made.append(renderings.pieces)

    assert made == [1, 2, 3, 3, 3]
    assert texts == [b"abc"]


def test_all_who_ask_meanwhile_get_the_same(loop: Loop, page: ScrapePage, renderings: Renderings) -> None:
    texts: list[bytes | None] = []
    page.get(texts.append)
    loop.run_once(0)
    page.get(texts.append)
    turn(loop)
    page.get(texts.append)

    assert texts == [b"abc"] * 3
    assert renderings.begun == 1


def test_after_a_second_it_is_made_anew(
    loop: Loop, page: ScrapePage, renderings: Renderings, clock: ManualClock
) -> None:
    texts: list[bytes | None] = []
    page.get(texts.append)
    turn(loop)
    clock.now += 1.01
    turn(loop)
    page.get(texts.append)
    turn(loop)

    assert (renderings.begun, texts) == (2, [b"abc", b"abc"])


def test_whoever_asks_all_the_time_gets_a_twentieth_of_the_loops_time(
    loop: Loop, page: ScrapePage, renderings: Renderings, clock: ManualClock
) -> None:
    renderings.cost_s = 0.1
    began = clock.now

    while clock.now < began + 100:
        page.get(lambda _text: None)
        clock.now += 0.01
        loop.run_once(0)

    assert renderings.pieces * renderings.cost_s <= 0.05 * (clock.now - began) + 3 * renderings.cost_s
    assert renderings.begun >= 10


def test_a_failure_is_told_to_all_who_wait_and_to_the_supervisor_and_not_repeated_at_once(
    loop: Loop, page: ScrapePage, renderings: Renderings, clock: ManualClock
) -> None:
    errors: list[Exception] = []
    loop.on_error = errors.append
    renderings.error = ZeroDivisionError()
    texts: list[bytes | None] = []

    for _ in range(60):
        page.get(texts.append)
        turn(loop, 3)
        clock.now += 1

    assert texts == [None] * 60
    assert len(errors) <= 6  # fewer than end the agent
    renderings.error = None
    clock.now += 11
    turn(loop)
    page.get(texts.append)
    turn(loop)
    assert texts[-1] == b"abc"


def test_who_waits_for_a_page_that_is_closed_hears_nothing(
    loop: Loop, page: ScrapePage, renderings: Renderings
) -> None:
    texts: list[bytes | None] = []
    page.get(texts.append)
    loop.run_once(0)

    page.close()
    turn(loop)

    assert texts == []
    assert renderings.pieces == 1
