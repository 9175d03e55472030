# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import itertools
import math

import pytest
from wirefleet_agent.ha.liveness import Liveness, State

INTERVAL_S = 0.5
MISSES = 3


@pytest.fixture
def member() -> Liveness:
    return Liveness(INTERVAL_S, MISSES, now=100.0)


def ask(member: Liveness, now: float) -> int:
    assert member.next_request(now) <= now, "it is not its turn"
    return member.request(now)


def run(member: Liveness, start: float, end: float, *, rtt_s: float | None = 0.02, step_s: float = 0.01) -> list[float]:
    """Time passes and the member answers after ``rtt_s``, or never. Returns when it was asked."""
    asked: list[float] = []
    waiting: list[tuple[float, int]] = []
    for tick in range(round((end - start) / step_s)):
        now = start + tick * step_s
        while waiting and waiting[0][0] <= now + 1e-9:
            member.reply(waiting.pop(0)[1], now)
        member.check(now)
        if member.next_request(now) <= now:
            asked.append(now)
            sequence = member.request(now)
            if rtt_s is not None:
                waiting.append((now + rtt_s, sequence))
    return asked


def test_it_is_unproven_until_it_answers(member: Liveness) -> None:
    assert member.state is State.UNPROVEN

    member.reply(ask(member, 100.0), 100.1)

    assert member.state is State.ALIVE
    assert member.well_since == 100.1


def test_it_is_asked_once_per_interval_on_a_grid_that_does_not_drift(member: Liveness) -> None:
    asked = run(member, 100.0, 110.0)

    assert len(asked) == 20
    assert all(abs((when - 100.0) / INTERVAL_S - number) < 0.03 for number, when in enumerate(asked))


def test_a_late_turn_does_not_move_the_next_one(member: Liveness) -> None:
    member.reply(ask(member, 100.0), 100.01)
    member.reply(ask(member, 100.7), 100.71)

    assert member.next_request(100.8) == 101.0


def test_what_was_slept_through_is_not_made_up_for(member: Liveness) -> None:
    member.reply(ask(member, 100.0), 100.01)

    member.reply(ask(member, 107.3), 107.31)

    assert member.next_request(107.4) == 107.5


def test_silence_of_three_intervals_after_the_last_answer_is_down(member: Liveness) -> None:
    run(member, 100.0, 103.0)
    assert member.replied_at == pytest.approx(102.52)

    run(member, 103.0, 104.0, rtt_s=None)
    assert member.state is State.ALIVE
    run(member, 104.0, 104.1, rtt_s=None)

    assert member.state is State.DOWN
    assert member.missed(104.1) == 3


def test_a_member_that_never_answers_is_down_after_the_same_time(member: Liveness) -> None:
    run(member, 100.0, 101.49, rtt_s=None)
    assert member.state is State.UNPROVEN

    assert member.check(101.5)
    assert not member.check(101.6)
    assert member.state is State.DOWN
    assert member.deadline == math.inf


def test_a_member_that_owes_an_answer_is_asked_four_times_as_often(member: Liveness) -> None:
    run(member, 100.0, 105.0)
    asked = run(member, 105.0, 106.0, rtt_s=None)

    gaps = [after - before for before, after in itertools.pairwise(asked)]
    assert len(asked) == pytest.approx(8, abs=1)
    assert all(0.1 <= gap <= 0.15 for gap in gaps)


def test_eight_questions_in_vain_before_it_is_down(member: Liveness) -> None:
    run(member, 100.0, 105.0)
    before = member.requests

    now = 105.0
    while member.state is State.ALIVE:
        run(member, now, now + 0.01, rtt_s=None)
        now += 0.01

    assert now <= 106.04
    assert member.requests - before >= 8


def test_a_member_that_is_down_or_unproven_is_asked_once_per_interval(member: Liveness) -> None:
    assert len(run(member, 100.0, 101.0, rtt_s=None)) == 2
    assert len(run(member, 101.0, 111.0, rtt_s=None)) == 20


def test_a_slow_member_is_not_asked_more_often(member: Liveness) -> None:
    run(member, 100.0, 110.0, rtt_s=0.4)
    asked = run(member, 110.0, 115.0, rtt_s=0.4)

    assert len(asked) == pytest.approx(10, abs=1)


def test_a_slow_member_stays_alive_and_its_time_is_known(member: Liveness) -> None:
    run(member, 100.0, 130.0, rtt_s=1.0)

    assert member.state is State.ALIVE
    assert member.rtt_s == pytest.approx(1.0, abs=0.02)


def test_an_answer_as_late_as_the_patience_is_none(member: Liveness) -> None:
    sequence = ask(member, 100.0)

    assert not member.reply(sequence, 101.5)
    assert member.state is State.UNPROVEN


def test_only_what_was_asked_can_be_answered_and_only_once(member: Liveness) -> None:
    sequence = ask(member, 100.0)

    assert not member.reply(sequence + 1, 100.1)
    assert member.reply(sequence, 100.1)
    assert not member.reply(sequence, 100.1)
    assert (member.replies, member.heard) == (1, sequence)


def test_the_time_is_smoothed_as_rfc_6298_says(member: Liveness) -> None:
    member.reply(ask(member, 100.0), 100.1)
    assert (member.rtt_s, member.rtt_variance_s) == (pytest.approx(0.1), pytest.approx(0.05))

    member.reply(ask(member, 100.5), 100.7)

    assert member.rtt_variance_s == pytest.approx(0.75 * 0.05 + 0.25 * 0.1)
    assert member.rtt_s == pytest.approx(0.875 * 0.1 + 0.125 * 0.2)


def test_an_answer_brings_it_back_and_counts_from_then(member: Liveness) -> None:
    run(member, 100.0, 102.0, rtt_s=None)
    run(member, 102.0, 103.0)

    assert member.state is State.ALIVE
    assert member.well_since == pytest.approx(102.02)


def test_a_host_that_slept_does_not_blame_its_members(member: Liveness) -> None:
    run(member, 100.0, 101.0)

    member.excuse(4000.0)

    assert not member.check(4000.1)
    assert member.next_request(4000.1) <= 4000.1
    assert member.check(4001.5)


def test_a_late_turn_gives_a_short_grace_and_only_once(member: Liveness) -> None:
    run(member, 100.0, 101.0)

    member.excuse(102.6, 0.8)
    assert not member.check(103.3)
    member.excuse(103.3, 0.8)

    assert member.check(103.4)


def test_a_grace_is_due_again_after_an_answer(member: Liveness) -> None:
    run(member, 100.0, 101.0)
    member.excuse(102.6, 0.8)
    member.reply(ask(member, 102.6), 102.7)
    member.excuse(104.3, 0.8)

    assert not member.check(105.0)
    assert member.check(105.1)


def test_a_grace_never_shortens(member: Liveness) -> None:
    run(member, 100.0, 101.0)
    deadline = member.deadline

    member.excuse(101.0, 0.1)

    assert member.deadline == deadline


def test_phases_spread_members_over_the_interval() -> None:
    members = [Liveness(INTERVAL_S, MISSES, 100.0, phase=number / 10) for number in range(10)]

    assert [member.next_request(100.0) for member in members] == pytest.approx(
        [100 + number / 20 for number in range(10)]
    )


def test_what_is_outstanding_is_bounded(member: Liveness) -> None:
    for number in range(1000):
        member.request(100.0 + number / 100)

    assert len(member._outstanding) <= 64
