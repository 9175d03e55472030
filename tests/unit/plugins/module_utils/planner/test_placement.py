# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import collections

import pytest
from ansible_collections.wirefleet.wireguard.plugins.module_utils.planner import (
    Candidate,
    Lock,
    make_plan,
    rank_hubs,
    score,
)
from ansible_collections.wirefleet.wireguard.tests.unit.plugins.fleets import fleet

SAME = [Candidate(name, "eu", 100) for name in ("h1", "h2", "h3")]


def preferred(hubs, spokes=3000):
    return [rank_hubs(f"spoke-{n}", "eu", hubs)[0] for n in range(spokes)]


def test_scores_are_pinned_for_ever():
    """A change here moves the spokes of every fleet there is."""
    assert score("spoke-1", "hub-1", 100) == pytest.approx(45.669567336669445, rel=1e-12)
    assert rank_hubs("spoke-1", "eu", SAME) == ("h3", "h1", "h2")


def test_equal_weights_share_the_spokes_evenly():
    shares = collections.Counter(preferred(SAME))

    assert all(900 < count < 1100 for count in shares.values())


def test_a_weight_of_ten_percent_makes_a_gray_hub():
    shares = collections.Counter(preferred([*SAME[:2], Candidate("h3", "eu", 10)]))

    assert 0.03 < shares["h3"] / 3000 < 0.07  # 10 of 210


@pytest.mark.parametrize("weights", [(100, 100, 20), (45, 45, 10)])
def test_a_hub_of_a_tenth_of_the_weight_gets_a_tenth_of_a_thousand_spokes(weights):
    """A tenth of what the others have together, and a tenth of all: both are within two in a hundred."""
    hubs = [Candidate(name, "eu", weight) for name, weight in zip(("h1", "h2", "h3"), weights, strict=True)]

    assert 80 <= collections.Counter(preferred(hubs, 1000))["h3"] <= 120


def test_a_hub_of_weight_zero_comes_last_even_in_the_spokes_own_region():
    hubs = [Candidate("near", "eu", 0), Candidate("far", "us", 1)]

    assert rank_hubs("s", "eu", hubs) == ("far", "near")
    assert rank_hubs("s", "eu", hubs[:1]) == ("near",)


def test_the_own_region_comes_first_whatever_the_weights():
    hubs = [Candidate("near", "eu", 1), Candidate("far", "us", 10000)]

    assert all(rank_hubs(f"s{n}", "eu", hubs)[0] == "near" for n in range(100))


def test_the_order_of_the_hubs_does_not_matter():
    assert rank_hubs("s", "eu", SAME) == rank_hubs("s", "eu", list(reversed(SAME)))


def test_a_lost_hub_moves_only_its_own_spokes():
    before, after = preferred(SAME), preferred(SAME[:2])

    assert all(new == old for old, new in zip(before, after, strict=True) if old != "h3")


def test_the_plan_shows_the_whole_ranking_and_the_hub_that_carries_the_traffic():
    plan = make_plan(fleet(spokes=3), Lock())

    assert [plan.hosts[f"spoke-{n}"]["preferred_hub"] for n in (1, 2, 3)] == ["hub-1", "hub-2", "hub-3"]
    assert plan.hosts["hub-1"]["preferred_hub"] is None


def test_while_the_preferred_hub_has_no_key_the_next_one_carries_the_traffic():
    plan = make_plan(fleet(spokes=1, without_keys=["hub-1"]), Lock())
    assert plan.hosts["spoke-1"]["preferred_hub"] in ("hub-2", "hub-3")

    nobody = make_plan(fleet(spokes=1, without_keys=["hub-1", "hub-2", "hub-3"]), Lock())
    assert nobody.hosts["spoke-1"]["preferred_hub"] == "hub-1"
