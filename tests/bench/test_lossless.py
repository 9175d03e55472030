# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from wirefleet_bench.lossless import Trial, search


class Link:
    """Carries ``limit`` packets per second and loses the rest; the sender goes no faster than ``sender``."""

    def __init__(self, limit: float, sender: float = 1e9) -> None:
        self.limit = limit
        self.sender = sender
        self.offered: list[float] = []

    def __call__(self, rate: float) -> Trial:
        self.offered.append(rate)
        sent = min(rate, self.sender)
        received = min(sent, self.limit)
        return Trial(sent, received, 1 - received / sent)


@pytest.mark.parametrize("limit", [1_000, 29_000, 30_000, 77_000, 500_000])
def test_the_limit_of_a_link_is_found_within_its_precision(limit):
    found = search(Link(limit), start_pps=30_000, precision=0.05, max_trials=60)

    assert 0.94 * limit < found.lossless_pps <= limit
    assert found.greatest_pps == pytest.approx(limit)
    assert not found.by_sender


def test_a_sender_that_cannot_go_faster_ends_the_search_and_is_named():
    found = search(Link(1e9, sender=100_000), start_pps=30_000)

    assert found.by_sender
    assert found.lossless_pps == 100_000


def test_the_search_is_bounded():
    link = Link(0.5)

    found = search(link, start_pps=30_000, max_trials=7)

    assert len(link.offered) == found.trials == 7
    assert found.lossless_pps == 0


def test_one_hiccup_is_no_verdict():
    link = Link(50_000)
    hiccups = iter([True])

    def trial(rate: float) -> Trial:
        seen = link(rate)
        return Trial(seen.sent_pps, seen.received_pps * 0.9, 0.1) if next(hiccups, False) else seen

    found = search(trial, start_pps=30_000, max_trials=60)

    assert link.offered[:2] == [30_000, 30_000]
    assert found.lossless_pps > 47_000


def test_a_sender_that_stumbles_once_is_not_the_limit():
    link = Link(50_000, sender=10_000)

    def trial(rate: float) -> Trial:
        seen = link(rate)
        link.sender = 1e9
        return seen

    found = search(trial, start_pps=30_000, max_trials=60)

    assert not found.by_sender
    assert found.lossless_pps > 47_000


def test_loss_of_a_thousandth_is_allowed():
    found = search(lambda rate: Trial(rate, rate * 0.999, 0.001), start_pps=1_000, max_trials=3)

    assert found.lossless_pps == pytest.approx(1_000 * 1.5**2 * 0.999)
