# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""How a hub reaches a LAN behind several spokes: the table row by row, and what a hub remembers for it."""

from __future__ import annotations

import pytest
from wirefleet_agent.ha.messages import Claim, Request
from wirefleet_agent.ha.site_routes import SiteReason, SiteRoute, SiteView, route_to_site
from wirefleet_agent.ha.sites import Sites
from wirefleet_agent.ha.spokes import Spokes
from wirefleet_agent.keys import PublicKey

A, B, C, S, T, U = (PublicKey(bytes([number]) * 32) for number in (1, 2, 3, 8, 9, 10))
GATEWAYS = (S, T, U)


def view(
    in_use: PublicKey,
    well: str = "",
    *,
    using_us: str = "",
    via: PublicKey | None = None,
    claims: dict[PublicKey, float] | None = None,
) -> SiteView:
    """well, using_us: letters of gateways."""
    named = {"s": S, "t": T, "u": U}
    return SiteView(
        GATEWAYS, in_use, via, {named[each] for each in well}, {named[each] for each in using_us}, claims or {}
    )


@pytest.mark.parametrize(
    ("site", "gateway", "via", "reason"),
    [
        (view(S, "stu"), S, None, SiteReason.IN_USE),
        (view(T, "stu"), T, None, SiteReason.IN_USE),
        (view(T, "t", via=A, claims={A: 9.0}), T, None, SiteReason.IN_USE),
        (view(S, "tu"), T, None, SiteReason.TOOK_OVER),
        (view(U, "st"), S, None, SiteReason.TOOK_OVER),
        (view(S, "u", via=A, claims={A: 9.0}), U, None, SiteReason.TOOK_OVER),
        (view(S, "u", using_us="s"), U, None, SiteReason.TOOK_OVER),
        (view(T, using_us="t", claims={A: 9.0}), T, None, SiteReason.UNANSWERED),
        (view(T, using_us="su", claims={A: 9.0}, via=A), S, None, SiteReason.UNANSWERED),
        (view(T, claims={C: 9.0}), T, C, SiteReason.CLAIMED),
        (view(T, claims={A: 8.0, C: 9.0}), T, C, SiteReason.CLAIMED),
        (view(T, claims={A: 9.0, C: 9.0}), T, A, SiteReason.CLAIMED),
        (view(T, claims={A: 8.0, C: 9.0}, via=A), T, A, SiteReason.CLAIMED),
        (view(T, claims={C: 9.0}, via=A), T, C, SiteReason.CLAIMED),
        (view(T), T, None, SiteReason.UNKNOWN),
        (view(T, via=A), T, None, SiteReason.UNKNOWN),
        (view(B), S, None, SiteReason.UNKNOWN),
        (view(B, "tu"), T, None, SiteReason.TOOK_OVER),
        (view(B, claims={A: 1.0}), S, A, SiteReason.CLAIMED),
    ],
)
def test_the_hub_b_reaches_the_site(
    site: SiteView, gateway: PublicKey, via: PublicKey | None, reason: SiteReason
) -> None:
    assert route_to_site(site) == SiteRoute(gateway, via, reason)


class Hub:
    """The hub b with the site of the gateways s and t, at misses x interval of 1.5 s."""

    def __init__(self) -> None:
        self.spokes = Spokes(B, [S, T], interval_s=0.5, misses=3, now=100.0)
        self.spokes.set_alive_hubs({A, C})
        self.sites = Sites(self.spokes, 1.5)
        self.in_use, self.via = S, None

    def hear(self, key: PublicKey, now: float, *, uses: PublicKey = A, heard: int | None = None) -> None:
        """A request of that moment; heard: the last answer of ours that it has, None: that to the one before."""
        sequence = round(now * 10)
        known = sequence - 1 if heard is None else heard
        self.spokes.request(key, Request(sequence, known, uses, 1, 0, 7), now)

    def route(self, now: float) -> SiteRoute:
        self.spokes.sweep(now)
        route = self.sites.route("lan", [S, T], self.in_use, self.via, now)
        self.in_use, self.via = route.gateway, route.via
        return route

    def loses_all(self, now: float) -> None:
        assert self.route(now).reason is SiteReason.UNKNOWN


@pytest.fixture
def hub() -> Hub:
    return Hub()


def test_a_hub_that_has_just_started_believes_in_the_gateway_of_its_configuration(hub: Hub) -> None:
    assert hub.route(101.4) == SiteRoute(S, None, SiteReason.IN_USE)
    assert hub.sites.is_settled("lan", S, 101.4)


def test_the_first_one_that_is_heard_takes_over_and_stays(hub: Hub) -> None:
    hub.hear(T, 101.0)
    assert hub.route(101.6) == SiteRoute(T, None, SiteReason.TOOK_OVER)
    hub.hear(S, 101.7)
    hub.hear(T, 101.7)
    assert hub.route(101.8) == SiteRoute(T, None, SiteReason.IN_USE)
    assert hub.sites.is_settled("lan", T, 101.8)
    assert not hub.sites.is_settled("lan", T, 103.3)


def test_a_gateway_that_does_not_hear_us_is_left(hub: Hub) -> None:
    for now in (100.5, 101.0, 101.5, 102.0):
        hub.hear(S, now, heard=990)
        hub.hear(T, now)

    assert hub.route(102.1) == SiteRoute(T, None, SiteReason.TOOK_OVER)


def test_a_gateway_that_does_not_hear_us_is_the_last_resort_while_it_uses_us(hub: Hub) -> None:
    for now in (100.5, 101.0, 101.5, 102.0):
        hub.hear(S, now, heard=990, uses=B)
    hub.spokes.take_claims(C, [Claim(T, 1)], 102.0)

    assert hub.route(102.1) == SiteRoute(S, None, SiteReason.UNANSWERED)


def test_a_claim_counts_if_it_came_after_the_patience_since_the_last_gateway_was_missed(hub: Hub) -> None:
    hub.spokes.take_claims(C, [Claim(S, 1)], 101.9)
    hub.loses_all(102.0)
    hub.spokes.take_claims(C, [Claim(S, 1)], 103.5)
    assert hub.route(103.6).via is None

    hub.spokes.take_claims(C, [Claim(S, 1)], 103.7)

    assert hub.route(103.8) == SiteRoute(S, C, SiteReason.CLAIMED)
    hub.spokes.take_claims(A, [Claim(T, 1)], 104.0)
    assert hub.route(104.1).via == C
    hub.spokes.take_claims(C, [Claim(S, 1, is_lost=True)], 104.2)
    assert hub.route(104.3).via == A
    hub.spokes.set_alive_hubs({C})
    assert hub.route(104.4) == SiteRoute(S, None, SiteReason.UNKNOWN)


def test_a_claim_that_is_not_repeated_lapses(hub: Hub) -> None:
    hub.loses_all(102.0)
    hub.spokes.take_claims(C, [Claim(S, 1)], 104.0)
    assert hub.route(118.9).via == C

    assert hub.route(119.0).via is None


def test_while_a_gateway_uses_us_we_have_one_though_it_does_not_hear_us(hub: Hub) -> None:
    """We claim it, so others may send to us by that: from then on only later claims count for us."""
    hub.loses_all(102.0)
    for now in (103.0, 103.5, 104.0, 104.5, 105.0):
        hub.hear(S, now, heard=990, uses=B)
        route = hub.route(now)
    assert route == SiteRoute(S, None, SiteReason.UNANSWERED)

    hub.spokes.take_claims(C, [Claim(S, 1)], 106.4)

    assert hub.route(106.6) == SiteRoute(S, None, SiteReason.UNKNOWN)
    hub.spokes.take_claims(C, [Claim(S, 1)], 108.0)
    assert hub.route(108.05).via is None
    hub.spokes.take_claims(C, [Claim(S, 1)], 108.2)
    assert hub.route(108.2).via == C


def test_a_gateway_that_came_back_between_makes_earlier_claims_old(hub: Hub) -> None:
    hub.loses_all(102.0)
    hub.spokes.take_claims(C, [Claim(S, 1)], 104.0)
    assert hub.route(104.1).via == C
    hub.hear(T, 105.0)
    assert hub.route(105.0) == SiteRoute(T, None, SiteReason.TOOK_OVER)

    assert hub.route(107.0) == SiteRoute(T, None, SiteReason.UNKNOWN)
    assert hub.route(109.0).via is None


def test_after_our_host_stood_still_only_new_claims_count(hub: Hub) -> None:
    hub.loses_all(102.0)
    hub.spokes.take_claims(C, [Claim(S, 1)], 150.0)

    hub.sites.excuse(150.1)

    assert hub.route(150.2).via is None
    hub.spokes.take_claims(C, [Claim(S, 1)], 151.7)
    assert hub.route(151.8).via == C


def test_a_site_that_is_there_again_knows_nothing_of_before(hub: Hub) -> None:
    hub.loses_all(102.0)
    hub.spokes.take_claims(C, [Claim(S, 1)], 104.0)
    hub.sites.keep(["other"])

    assert hub.route(104.1).via is None
    assert hub.route(105.7).via is None
