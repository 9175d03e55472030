# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""How hubs reach a spoke: the table row by row, and that packets never go in circles for good."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wirefleet_agent.ha.hub_routes import HubRoute, RouteReason, SpokeView, Word, route_to
from wirefleet_agent.keys import PublicKey

A, B, C, S = (PublicKey(bytes([number]) * 32) for number in (1, 2, 3, 9))
ALL = frozenset({A, B, C})


def view(
    is_heard: bool,
    word: Word | None = None,
    claims: dict[PublicKey, int] | None = None,
    is_doubted: bool = False,
) -> SpokeView:
    return SpokeView(is_heard, word, claims or {}, is_doubted)


@pytest.mark.parametrize(
    ("spoke", "alive", "via", "reason"),
    [
        (view(True), {A, C}, None, RouteReason.USES_US),
        (view(True, Word(None, 1)), {A, C}, None, RouteReason.USES_US),
        (view(True, Word(B, 1)), {A, C}, None, RouteReason.USES_US),
        (view(True, Word(C, 1), {C: 1}), {A, C}, C, RouteReason.USES_OTHER),
        (view(True, Word(C, 1), {C: 2}), {A, C}, C, RouteReason.USES_OTHER),
        (view(True, Word(C, 1), {C: 1}), {A}, None, RouteReason.OTHER_GONE),
        (view(True, Word(C, 1)), {A, C}, None, RouteReason.OTHER_GONE),
        (view(True, Word(C, 2), {C: 1}), {A, C}, None, RouteReason.OTHER_GONE),
        (view(True, Word(C, 1), {A: 1}), {A, C}, None, RouteReason.OTHER_GONE),
        (view(True, Word(S, 1), {S: 1}), {A, C}, None, RouteReason.OTHER_GONE),
        (view(True, Word(B, 1), {C: 5}), {A, C}, None, RouteReason.USES_US),
        (view(True, Word(C, 1), {C: 1}, is_doubted=True), {A, C}, None, RouteReason.DOUBTED),
        (view(False, Word(B, 1), {C: 5}), {A, C}, C, RouteReason.CLAIMED),
        (view(False, Word(B, 5), {C: 5}), {A, C}, None, RouteReason.UNKNOWN),
        (view(False, Word(A, 4), {C: 5}), {A, C}, C, RouteReason.CLAIMED),
        (view(False, Word(A, 5), {C: 5}), {A, C}, C, RouteReason.CLAIMED),
        (view(False, Word(A, 6), {C: 5}), {A, C}, None, RouteReason.UNKNOWN),
        (view(False, Word(A, 6), {C: 5, A: 6}), {A, C}, A, RouteReason.CLAIMED),
        (view(False, Word(A, 6), {C: 7, A: 6}), {A}, A, RouteReason.CLAIMED),
        (view(False, None, {A: 1, C: 2**32 - 1}), {A, C}, C, RouteReason.CLAIMED),
        (view(False, None, {A: 7, C: 7}), {A, C}, A, RouteReason.CLAIMED),
        (view(False, Word(A, 6)), {A, C}, None, RouteReason.UNKNOWN),
        (view(False), {A, C}, A, RouteReason.GUESSED),
        (view(False), {C}, None, RouteReason.UNKNOWN),
        (view(False), set(), None, RouteReason.UNKNOWN),
        (view(False, None, {C: 5}), set(), None, RouteReason.UNKNOWN),
    ],
)
def test_the_hub_b_reaches_the_spoke(
    spoke: SpokeView, alive: set[PublicKey], via: PublicKey | None, reason: RouteReason
) -> None:
    assert route_to(spoke, B, alive) == HubRoute(via, reason)


def settled(
    heard: dict[PublicKey, bool], links: set[frozenset[PublicKey]], active: PublicKey
) -> dict[PublicKey, HubRoute]:
    """The routes of all hubs once every message has arrived that can: words, claims, losses."""
    routes = {}
    for hub in ALL:
        alive = {other for other in ALL if other != hub and frozenset({hub, other}) in links}
        claims = {active: 5} if active in alive and heard[active] else {}
        word = Word(active, 5) if heard[hub] else None
        routes[hub] = route_to(SpokeView(heard[hub], word, claims), hub, alive)
    return routes


PAIRS = [frozenset(pair) for pair in itertools.combinations(sorted(ALL), 2)]


@given(
    st.fixed_dictionaries({hub: st.booleans() for hub in sorted(ALL)}),
    st.sets(st.sampled_from(PAIRS)),
    st.sampled_from(sorted(ALL)),
    st.sampled_from(sorted(ALL)),
)
def test_packets_never_go_in_circles_and_arrive_if_the_spokes_own_hub_hears_it(
    heard: dict[PublicKey, bool], links: set[frozenset[PublicKey]], active: PublicKey, start: PublicKey
) -> None:
    routes = settled(heard, links, active)

    way = [start]
    while (via := routes[way[-1]].via) is not None:
        assert via not in way, "a circle"
        assert frozenset({way[-1], via}) in links
        way.append(via)

    if heard[active] and (start == active or frozenset({start, active}) in links):
        assert way[-1] == active or heard[way[-1]]
