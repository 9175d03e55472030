# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The replay window against RFC 6479, and against a plain set that remembers everything."""

from __future__ import annotations

import random

import pytest
from wirefleet_agent.core import ReplayWindow
from wirefleet_agent.core.constants import REJECT_AFTER_MESSAGES, REPLAY_WINDOW


def commit_all(window: ReplayWindow, *counters: int) -> list[bool]:
    return [window.commit(counter) for counter in counters]


def test_a_counter_is_taken_once() -> None:
    assert commit_all(ReplayWindow(), 0, 0, 1, 1, 3, 2, 2, 3) == [True, False, True, False, True, True, False, False]


# checklist 27
def test_a_counter_8128_behind_is_taken_and_8129_behind_is_not() -> None:
    window = ReplayWindow()
    window.commit(REPLAY_WINDOW + 1)

    assert not window.check(0)
    assert window.check(1)
    assert commit_all(window, 0, 1, 1) == [False, True, False]


# checklist 27
def test_asking_moves_nothing() -> None:
    window = ReplayWindow()
    window.commit(5)

    assert window.check(1 << 40)
    assert window.check(4)
    assert window.commit(4)


# checklist 14
def test_counters_from_the_limit_on_are_refused() -> None:
    window = ReplayWindow()

    assert not window.check(REJECT_AFTER_MESSAGES)
    assert not window.commit(REJECT_AFTER_MESSAGES)
    assert not window.commit_run(REJECT_AFTER_MESSAGES - 1, 2)
    assert window.commit_run(REJECT_AFTER_MESSAGES - 2, 2)
    assert not window.commit(REJECT_AFTER_MESSAGES - 1)


def test_a_leap_forgets_everything_before_the_window() -> None:
    window = ReplayWindow()
    commit_all(window, 0, 1, 2)
    window.commit(REPLAY_WINDOW * 3)

    assert not window.check(2)
    assert window.commit(REPLAY_WINDOW * 2)


def test_a_run_is_taken_whole_or_not_at_all() -> None:
    window = ReplayWindow()

    assert window.commit_run(10, 5)
    assert not window.commit_run(8, 3)  # 10 was seen
    assert window.check(8)
    assert window.commit_run(5, 5)
    assert window.commit_run(15, 3)
    assert not window.commit_run(16, 4)  # 16 and 17 were seen
    assert window.commit_run(18, 1)
    assert not window.commit_run(0, REPLAY_WINDOW + 1)


def test_a_run_far_ahead_or_too_old_is_judged_like_its_counters() -> None:
    window = ReplayWindow()
    window.commit_run(0, 10)

    assert window.commit_run(100_000, 10)
    assert not window.commit_run(100_009 - REPLAY_WINDOW - 1, 2)
    assert window.commit_run(100_009 - REPLAY_WINDOW, 2)


@pytest.mark.parametrize("seed", range(5))
def test_it_agrees_with_a_set_that_remembers_everything(seed: int) -> None:
    print(f"seed {seed}")
    draw = random.Random(seed)
    window = ReplayWindow()
    seen: set[int] = set()
    highest = -1
    for _ in range(3000):
        first = max(0, highest + draw.choice([1, 1, 1, 2, 40, -3, -500, -REPLAY_WINDOW, -REPLAY_WINDOW - 1, 9000]))
        count = draw.choice([1, 1, 2, 64])
        run = range(first, first + count)
        fresh = [n not in seen and highest - n <= REPLAY_WINDOW for n in run]
        if count == 1:
            assert window.check(first) is fresh[0]
            assert window.commit(first) is fresh[0]
        elif window.commit_run(first, count):
            assert all(fresh)
        else:
            # A run may also fail because its own end would push its beginning out of the window.
            assert not all(fresh)
            for n, is_fresh in zip(run, fresh, strict=True):
                assert window.check(n) is is_fresh
            continue
        taken = [n for n, is_fresh in zip(run, fresh, strict=True) if is_fresh]
        seen.update(taken)
        highest = max([highest, *taken])
