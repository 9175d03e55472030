# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import math

import pytest
from wirefleet_agent.ha.answer_limit import AnswerLimit
from wirefleet_agent.ha.backoff import Backoff
from wirefleet_agent.ha.hysteresis import BASE_HOLD_S, FORGET_S, MAX_HOLD_S, Hysteresis


def flap(hysteresis: Hysteresis, times: int, now: float, *, up_s: float = 1.0, down_s: float = 1.0) -> float:
    for _ in range(times):
        hysteresis.went_down(now)
        now += down_s
        hysteresis.came_back(now)
        now += up_s
    return now


def test_a_member_that_never_went_down_is_not_held() -> None:
    hysteresis = Hysteresis()
    hysteresis.came_back(10.0)

    assert hysteresis.held_until(10.0) == -math.inf


def test_a_member_that_is_down_is_held_for_ever() -> None:
    hysteresis = Hysteresis()
    hysteresis.went_down(10.0)

    assert hysteresis.held_until(10.0) == math.inf


@pytest.mark.parametrize(("flaps", "hold_s"), [(1, 2), (2, 4), (3, 8), (5, 32), (8, 256), (9, 300), (40, 300)])
def test_the_hold_doubles_with_each_flap_up_to_the_cap(flaps: int, hold_s: float) -> None:
    hysteresis = Hysteresis()
    now = flap(hysteresis, flaps, 0.0)

    assert hysteresis.hold_s(now) == hold_s
    assert hysteresis.held_until(now) == now - 1.0 + hold_s


def test_saying_the_same_twice_changes_nothing() -> None:
    hysteresis = Hysteresis()
    for _ in range(3):
        hysteresis.went_down(0.0)
    for when in (1.0, 2.0, 3.0):
        hysteresis.came_back(when)

    assert hysteresis.flaps(3.0) == 1
    assert hysteresis.held_until(3.0) == 1.0 + BASE_HOLD_S


def test_flaps_are_forgotten_one_by_one() -> None:
    hysteresis = Hysteresis()
    now = flap(hysteresis, 3, 0.0)

    assert hysteresis.flaps(now + FORGET_S - 2) == 3
    assert hysteresis.flaps(now + FORGET_S) == 2
    assert hysteresis.flaps(now + 3 * FORGET_S) == 0
    assert hysteresis.hold_s(now + 3 * FORGET_S) == 0


def test_what_was_forgotten_does_not_come_back_with_the_next_flap() -> None:
    hysteresis = Hysteresis()
    now = flap(hysteresis, 5, 0.0)

    flap(hysteresis, 1, now + 2 * FORGET_S)

    assert hysteresis.flaps(now + 2 * FORGET_S) == 4


@pytest.mark.parametrize("up_s", [1.0, 10.0, 100.0, 250.0])
def test_a_link_that_flaps_for_ever_ends_up_never_chosen(up_s: float) -> None:
    hysteresis = Hysteresis()
    now = flap(hysteresis, 20, 0.0, up_s=up_s)

    hysteresis.went_down(now)
    hysteresis.came_back(now + 1)

    assert hysteresis.held_until(now + 1) - (now + 1) == MAX_HOLD_S
    assert up_s < MAX_HOLD_S


def test_attempts_come_after_1_2_4_and_never_more_than_60_seconds() -> None:
    backoff = Backoff(lambda: 0.0)

    assert [backoff.next_delay_s() for _ in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    backoff.reset()
    assert backoff.next_delay_s() == 1


def test_jitter_shortens_by_up_to_a_half() -> None:
    backoff = Backoff(lambda: 0.999)

    assert [backoff.next_delay_s() for _ in range(3)] == pytest.approx([0.5, 1, 2], rel=0.01)


def test_attempts_without_end_do_not_overflow() -> None:
    backoff = Backoff(lambda: 0.0)

    assert max(backoff.next_delay_s() for _ in range(5000)) == 60


def test_a_burst_is_answered_then_a_steady_rate() -> None:
    limit = AnswerLimit(0.0)

    assert sum(limit.allow(0.0) for _ in range(1000)) == 128
    assert sum(limit.allow(0.001 * number) for number in range(1, 1001)) == pytest.approx(128, abs=1)


def test_a_spoke_at_the_shortest_interval_is_always_answered() -> None:
    limit = AnswerLimit(0.0)

    assert all(limit.allow(0.0125 * number) for number in range(10_000))
