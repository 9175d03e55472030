# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from wirefleet_bench.statistics import median, pair_ratios, percentile, spread


def test_the_median_is_the_middle_value_or_the_mean_of_two():
    assert median([3, 1, 2]) == 2
    assert median([4, 1, 2, 3]) == 2.5


def test_nothing_has_neither_median_nor_percentile():
    with pytest.raises(ValueError):
        median([])
    with pytest.raises(ValueError):
        percentile([], 50)


@pytest.mark.parametrize(("percent", "expected"), [(0, 1), (50, 50), (99, 99), (100, 100)])
def test_a_percentile_is_a_value_that_was_measured(percent, expected):
    values = list(range(100, 0, -1))

    assert percentile(values, percent) == expected


def test_the_99th_percentile_of_few_values_is_the_greatest():
    assert percentile([5.0, 1.0], 99) == 5.0


def test_ratios_are_of_pairs_and_drift_of_both_cancels_out():
    ours, theirs = [100.0, 200.0, 50.0], [50.0, 100.0, 25.0]

    assert pair_ratios(ours, theirs) == [2.0, 2.0, 2.0]


def test_a_pair_without_a_divisor_has_no_ratio():
    assert pair_ratios([1.0, 4.0], [0.0, 2.0]) == [2.0]


def test_series_of_unequal_length_are_no_pairs():
    with pytest.raises(ValueError):
        pair_ratios([1.0], [1.0, 2.0])


def test_spread_is_relative_to_the_median():
    assert spread([9.0, 10.0, 12.0]) == pytest.approx(0.3)
    assert spread([9.0]) == 0
