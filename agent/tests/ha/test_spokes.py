# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What a hub remembers of spokes, and what hubs tell each other."""

from __future__ import annotations

import pytest
from wirefleet_agent.ha.claims import ClaimBook, OwnClaims
from wirefleet_agent.ha.hub_routes import HubRoute, RouteReason
from wirefleet_agent.ha.messages import MAX_CLAIMS, Claim, Request
from wirefleet_agent.ha.spokes import Spokes
from wirefleet_agent.keys import PublicKey

A, B, C, S, T = (PublicKey(bytes([number]) * 32) for number in (1, 2, 3, 9, 10))


@pytest.fixture
def spokes() -> Spokes:
    made = Spokes(B, [S, T], interval_s=0.5, misses=3, now=100.0)
    made.set_alive_hubs({A, C})
    return made


def say(spokes: Spokes, hub: PublicKey | None, sequence: int, now: float, *, count: int = 1, instance: int = 7) -> bool:
    return spokes.request(S, Request(sequence, 0, hub, count, 0, instance), now)


def test_a_hub_that_has_just_started_goes_direct(spokes: Spokes) -> None:
    assert spokes.route(S, 100.0) == HubRoute(None, RouteReason.USES_US)
    assert not spokes.is_heard(S)


def test_a_word_moves_the_route_once(spokes: Spokes) -> None:
    spokes.take_claims(C, [Claim(S, 1)], 100.0)

    assert say(spokes, C, 1, 100.1)
    assert not say(spokes, C, 2, 100.6)

    assert spokes.route(S, 100.6) == HubRoute(C, RouteReason.USES_OTHER)


def test_a_late_request_does_not_bring_an_old_word_back(spokes: Spokes) -> None:
    spokes.take_claims(C, [Claim(S, 2)], 100.0)
    say(spokes, C, 5, 100.1, count=2)

    assert not say(spokes, B, 4, 100.2, count=1)
    assert spokes.route(S, 100.2).via == C


def test_a_spoke_that_restarted_is_heard_at_once(spokes: Spokes) -> None:
    say(spokes, C, 50, 100.1, count=2)

    assert say(spokes, B, 1, 100.2, count=900, instance=8)
    assert spokes.route(S, 100.2).via is None


def test_a_sequence_far_behind_is_a_restart_too(spokes: Spokes) -> None:
    say(spokes, C, 1000, 100.1)

    assert say(spokes, B, 1, 100.2)


def test_a_silent_spoke_is_noticed_once_and_its_last_word_is_forgotten(spokes: Spokes) -> None:
    say(spokes, C, 1, 100.1)

    assert spokes.sweep(101.4) == []
    assert spokes.sweep(101.6) == [S, T]
    assert spokes.route(S, 101.6) == HubRoute(None, RouteReason.UNKNOWN)
    assert spokes.sweep(131.5) == []
    assert spokes.sweep(131.6) == [S]
    assert spokes.route(S, 131.6) == HubRoute(A, RouteReason.GUESSED)


@pytest.mark.parametrize(("hub", "count"), [(B, 1), (B, 2), (A, 2), (C, 1), (None, 0)])
def test_a_spoke_that_contradicts_itself_is_sent_to_directly_and_not_claimed(
    spokes: Spokes, hub: PublicKey | None, count: int
) -> None:
    spokes.take_claims(A, [Claim(S, 9)], 100.0)
    spokes.take_claims(C, [Claim(S, 9)], 100.0)
    say(spokes, C, 1, 100.1, count=2)
    assert spokes.route(S, 100.1).via == C

    assert say(spokes, hub, 2, 100.2, count=count)

    assert spokes.route(S, 100.2) == HubRoute(None, RouteReason.DOUBTED)
    assert spokes.own.count == 0


def test_a_hub_takes_its_claim_back_when_the_spoke_contradicts_itself(spokes: Spokes) -> None:
    say(spokes, B, 1, 100.1, count=2)
    assert spokes.own.count == 1

    say(spokes, C, 2, 100.2, count=2)

    assert spokes.own.count == 0


def test_a_greater_count_ends_the_doubt_at_once(spokes: Spokes) -> None:
    say(spokes, C, 1, 100.1, count=2)
    say(spokes, B, 2, 100.2, count=1)

    assert say(spokes, B, 3, 100.3, count=3)

    assert spokes.route(S, 100.3) == HubRoute(None, RouteReason.USES_US)
    assert spokes.own.count == 1


def test_a_spoke_whose_clock_was_set_back_is_doubted_until_no_hub_remembers_a_claim(spokes: Spokes) -> None:
    say(spokes, B, 1, 100.0, count=900)
    say(spokes, B, 1, 101.0, count=5, instance=8)

    for sequence in range(2, 61):
        assert not say(spokes, B, sequence, 100.5 + sequence / 2, count=5, instance=8)
    assert spokes.own.count == 0
    assert say(spokes, B, 61, 131.0, count=5, instance=8)

    assert spokes.route(S, 131.0).reason is RouteReason.USES_US
    assert spokes.own.count == 1


def test_a_claim_tells_where_a_silent_spoke_is_until_it_lapses(spokes: Spokes) -> None:
    spokes.sweep(110.0)

    assert spokes.take_claims(C, [Claim(S, 4)], 110.0) == [S]
    assert spokes.take_claims(C, [Claim(S, 4)], 111.0) == []
    assert spokes.route(S, 125.9) == HubRoute(C, RouteReason.CLAIMED)
    assert spokes.route(S, 126.0).reason is RouteReason.GUESSED


def test_the_claim_with_the_higher_count_wins(spokes: Spokes) -> None:
    """Where counts begin again, in the year 2106, a spoke's first switches are doubted, and then nothing is."""
    spokes.sweep(110.0)
    spokes.take_claims(A, [Claim(S, 1)], 110.0)
    spokes.take_claims(C, [Claim(S, 2**32 - 1)], 110.0)

    assert spokes.route(S, 110.0).via == C


def test_routes_that_rest_on_claims_are_looked_at_within_ten_intervals(spokes: Spokes) -> None:
    spokes.take_claims(C, [Claim(S, 1), Claim(T, 1)], 100.0)
    say(spokes, C, 1, 100.1)
    assert [spokes.claimed(part) for part in range(10)] == [[S]] + [[]] * 9

    spokes.sweep(110.0)

    assert [spokes.claimed(part) for part in range(10)] == [[S], [T]] + [[]] * 8


def test_an_older_claim_of_the_same_hub_is_late(spokes: Spokes) -> None:
    spokes.sweep(110.0)
    spokes.take_claims(C, [Claim(S, 4, is_lost=True)], 110.0)

    assert spokes.take_claims(C, [Claim(S, 3)], 110.1) == []
    assert spokes.route(S, 110.1).reason is RouteReason.GUESSED


def test_claims_of_hubs_that_are_down_or_restarted_do_not_count(spokes: Spokes) -> None:
    spokes.sweep(110.0)
    spokes.take_claims(C, [Claim(S, 4)], 110.0)

    assert set(spokes.set_alive_hubs({A})) == {S, T}
    assert spokes.route(S, 110.0).via == A
    spokes.set_alive_hubs({A, C})
    assert spokes.route(S, 110.0).via == C
    spokes.hub_restarted(C)
    assert spokes.route(S, 110.0).reason is RouteReason.GUESSED


def test_strangers_are_neither_heard_nor_claimed(spokes: Spokes) -> None:
    stranger = PublicKey(bytes([77]) * 32)

    assert not spokes.request(stranger, Request(1), 100.0)
    assert spokes.take_claims(C, [Claim(stranger, 1)], 100.0) == []
    assert stranger not in spokes


def test_a_hub_claims_whom_it_hears_and_says_when_it_loses_them(spokes: Spokes) -> None:
    say(spokes, B, 1, 100.1, count=3)
    assert spokes.own.news() == [(Claim(S, 3),)]

    spokes.sweep(105.0)
    assert spokes.own.news() == [(Claim(S, 3, is_lost=True),)]

    say(spokes, B, 2, 106.0, count=3)
    assert spokes.own.news() == [(Claim(S, 3),)]
    say(spokes, C, 3, 107.0, count=4)
    assert spokes.own.news() == [(Claim(S, 4, is_lost=True),)]


def test_a_hub_that_forgot_believes_the_claims_before_its_guess(spokes: Spokes) -> None:
    spokes.take_claims(C, [Claim(S, 4)], 100.0)

    spokes.sweep(101.5)

    assert spokes.route(S, 101.5) == HubRoute(C, RouteReason.CLAIMED)


def test_our_answers_that_do_not_arrive_are_seen_in_its_requests(spokes: Spokes) -> None:
    spokes.request(S, Request(10, 9, B, 1, 0, 7), 100.1)
    for sequence in range(11, 15):
        spokes.request(S, Request(sequence, 9, B, 1, 0, 7), 99.1 + sequence / 10)
    assert spokes.hears_us(S, 101.5)
    assert spokes.is_well(S, 101.5)

    spokes.request(S, Request(15, 9, B, 1, 0, 7), 101.7)
    assert not spokes.hears_us(S, 101.7)
    assert not spokes.is_well(S, 101.7)

    spokes.request(S, Request(16, 14, B, 1, 0, 7), 101.8)
    assert spokes.is_well(S, 101.8)


def test_a_spoke_that_restarted_or_that_we_have_just_met_may_have_heard_nothing_yet(spokes: Spokes) -> None:
    assert spokes.is_well(S, 101.4)
    spokes.sweep(110.0)
    assert not spokes.is_well(S, 110.0)

    spokes.request(S, Request(7, 5, B, 1, 0, 7), 110.0)
    assert spokes.is_well(S, 110.0)
    spokes.request(S, Request(1, 0, B, 9, 0, 8), 111.4)
    assert spokes.is_well(S, 112.8)
    assert not spokes.is_well(PublicKey(bytes([77]) * 32), 112.8)


def test_nobody_is_to_blame_while_our_own_host_stood_still(spokes: Spokes) -> None:
    spokes.request(S, Request(7, 5, B, 1, 0, 7), 100.0)

    spokes.excuse(160.0)

    assert spokes.is_well(S, 161.4)
    assert not spokes.is_well(S, 161.5)


def test_claims_are_told_with_when_they_came_if_that_was_late_enough(spokes: Spokes) -> None:
    spokes.take_claims(A, [Claim(S, 1)], 100.0)
    spokes.take_claims(C, [Claim(S, 7)], 101.0)
    spokes.take_claims(C, [Claim(T, 1)], 102.0)

    assert spokes.claims_of([S, T], 99.0, 102.0) == {A: 100.0, C: 102.0}
    assert spokes.claims_of([S], 100.0, 102.0) == {C: 101.0}
    spokes.take_claims(A, [Claim(S, 1)], 103.0)
    assert spokes.claims_of([S], 100.0, 103.0) == {A: 103.0, C: 101.0}
    spokes.take_claims(A, [Claim(S, 1, is_lost=True)], 104.0)
    assert spokes.claims_of([S], 99.0, 104.0) == {C: 101.0}
    assert spokes.claims_of([S], 99.0, 116.0) == {}
    spokes.set_alive_hubs({A})
    assert spokes.claims_of([T], 99.0, 104.0) == {}


def test_a_change_is_told_at_once_and_twice_more() -> None:
    own = OwnClaims()
    own.claim(S, 1)

    assert own.has_news
    told = [own.news(), own.turn(), own.turn()]

    assert told == [[(Claim(S, 1),)]] * 3
    assert not own.has_news
    assert own.news() == []


def test_a_lost_spoke_is_told_three_times_and_then_no_more() -> None:
    own = OwnClaims()
    own.claim(S, 1)
    own.news()
    own.lose(S, 1)

    told = [own.news()] + [own.turn() for _ in range(20)]

    assert sum(len(messages) for messages in told) == 3


def test_everything_is_told_within_ten_intervals() -> None:
    own = OwnClaims()
    spokes = [PublicKey(number.to_bytes(32, "big")) for number in range(1, 1001)]
    for spoke in spokes:
        own.claim(spoke, 5)
    for _ in range(3):
        own.news()
        own.turn()

    told = [own.turn() for _ in range(10)]

    assert {claim.spoke for turn in told for message in turn for claim in message} == set(spokes)
    assert max(len(turn) for turn in told) == 4
    assert all(len(message) <= MAX_CLAIMS for turn in told for message in turn)
    assert len(own.everything()) == 36


def test_gateways_are_told_in_every_interval_as_far_as_four_datagrams_reach() -> None:
    own = OwnClaims()
    gateways = [PublicKey(number.to_bytes(32, "big")) for number in range(1, 301)]
    for key in (*gateways, S):
        own.claim(key, 5)
    for _ in range(3):
        own.news()
        own.turn()

    few = [{claim.spoke for part in own.turn(gateways[:5]) for claim in part} for _ in range(3)]
    many = [own.turn(gateways) for _ in range(3)]

    assert all(told >= set(gateways[:5]) for told in few)
    assert {claim.spoke for turn in many for part in turn for claim in part} >= set(gateways)
    assert max(len(turn) for turn in many) <= 6
    assert not [claim for part in own.turn([T]) for claim in part if claim.spoke == T]


def test_a_book_holds_only_known_spokes() -> None:
    book = ClaimBook([S], 15.0)
    for number in range(1000):
        book.take(A, [Claim(PublicKey(number.to_bytes(32, "big")), 1)], 0.0)

    assert len(book._claims) == 1
    assert book.said_of(T, 0.0) == {}
