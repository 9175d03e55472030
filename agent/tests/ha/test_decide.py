# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Who carries the traffic: the table of ``decide``, row by row, and what must hold whatever the view."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wirefleet_agent.ha.decide import decide
from wirefleet_agent.ha.policies import POLICIES, active_standby, priority_preempt
from wirefleet_agent.ha.view import Decision, MemberView, Reason, Standing, View
from wirefleet_agent.keys import PublicKey

NOW = 1000.0
A, B, C = (PublicKey(bytes([number]) * 32) for number in (1, 2, 3))
GOOD = MemberView(A, is_alive=True, well_since=NOW - 100)
GONE = replace(GOOD, is_alive=False)
HELD = replace(GOOD, held_until=NOW + 1)
DRAINING = replace(GOOD, is_draining=True)
BROKEN = replace(GOOD, is_broken=True)


def view(a: MemberView, b: MemberView, c: MemberView = GONE, *, active: PublicKey = A, **more: object) -> View:
    return View(
        (replace(a, key=A), replace(b, key=B), replace(c, key=C)), active, **more  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("found", "active", "reason"),
    [
        (view(GOOD, GOOD, GOOD), A, Reason.STAY),
        (view(GONE, GOOD, GOOD), B, Reason.ACTIVE_DOWN),
        (view(GONE, HELD, GOOD), C, Reason.ACTIVE_DOWN),
        (view(GONE, DRAINING, HELD), C, Reason.ACTIVE_DOWN),
        (view(GONE, BROKEN, DRAINING), C, Reason.ACTIVE_DOWN),
        (view(GONE, BROKEN, GONE), B, Reason.ACTIVE_DOWN),
        (view(GONE, GONE, GONE), A, Reason.ALL_DOWN),
        (view(BROKEN, GOOD), B, Reason.ACTIVE_BROKEN),
        (view(BROKEN, HELD), B, Reason.ACTIVE_BROKEN),
        (view(BROKEN, DRAINING), B, Reason.ACTIVE_BROKEN),
        (view(BROKEN, BROKEN), A, Reason.STAY),
        (view(BROKEN, GONE), A, Reason.STAY),
        (view(DRAINING, GOOD), B, Reason.ACTIVE_DRAINING),
        (view(DRAINING, HELD), A, Reason.STAY),
        (view(DRAINING, DRAINING), A, Reason.STAY),
        (view(DRAINING, BROKEN), A, Reason.STAY),
        (view(HELD, GOOD), A, Reason.STAY),
        (view(GOOD, GOOD, active=B), B, Reason.STAY),
        (view(GOOD, GOOD, override=B), B, Reason.OVERRIDE),
        (view(GOOD, HELD, override=B), A, Reason.STAY),
        (view(GOOD, DRAINING, override=B), A, Reason.STAY),
        (view(GOOD, GOOD, override=A), A, Reason.STAY),
        (view(GONE, GOOD, GOOD, override=C), C, Reason.ACTIVE_DOWN),
        (view(GOOD, GOOD, override=PublicKey(bytes([9]) * 32)), A, Reason.STAY),
    ],
)
def test_without_preemption(found: View, active: PublicKey, reason: Reason) -> None:
    assert decide(found, active_standby, NOW) == Decision(active, reason)


@pytest.mark.parametrize(
    ("found", "active", "reason"),
    [
        (view(GOOD, GOOD, active=B), A, Reason.PREEMPTED),
        (view(replace(GOOD, well_since=NOW - 29.9), GOOD, active=B), B, Reason.STAY),
        (view(replace(GOOD, well_since=NOW - 30), GOOD, active=B), A, Reason.PREEMPTED),
        (view(HELD, GOOD, active=B), B, Reason.STAY),
        (view(DRAINING, GOOD, active=B), B, Reason.STAY),
        (view(BROKEN, GOOD, active=B), B, Reason.STAY),
        (view(GONE, GOOD, GOOD, active=C), B, Reason.PREEMPTED),
        (view(GOOD, GOOD, active=B, override=B), B, Reason.STAY),
        (view(GOOD, HELD, active=B, override=B), B, Reason.STAY),
        (view(GONE, GOOD), B, Reason.ACTIVE_DOWN),
    ],
)
def test_with_preemption(found: View, active: PublicKey, reason: Reason) -> None:
    assert decide(found, priority_preempt, NOW) == Decision(active, reason)


def test_an_active_one_that_is_no_member_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(KeyError):
        decide(View((GOOD,), B), active_standby, NOW)


members = st.lists(
    st.builds(
        MemberView,
        st.just(A),
        st.booleans(),
        st.booleans(),
        st.booleans(),
        st.sampled_from([-math.inf, NOW - 1, NOW + 1]),
        st.floats(NOW - 100, NOW),
    ),
    min_size=1,
    max_size=5,
)


@given(members, st.data(), st.sampled_from(sorted(POLICIES)))
def test_a_switch_never_leads_to_a_worse_member_and_is_followed_by_none(
    made: list[MemberView], data: st.DataObject, policy: str
) -> None:
    named = tuple(replace(member, key=PublicKey(bytes([number + 1]) * 32)) for number, member in enumerate(made))
    active = data.draw(st.sampled_from(named))
    override = data.draw(st.none() | st.sampled_from([member.key for member in named]))
    found = View(named, active.key, override)

    decision = decide(found, POLICIES[policy], NOW)

    chosen = found.member(decision.active)
    before, after = active.standing(NOW), chosen.standing(NOW)
    if decision.active != active.key:
        assert after <= before or {before, after} == {Standing.GOOD, Standing.HELD}
        assert after is not Standing.GONE
    again = decide(replace(found, active=decision.active), POLICIES[policy], NOW)
    if policy == "active_standby":
        assert again.active == decision.active
    else:
        assert decide(replace(found, active=again.active), POLICIES[policy], NOW).active == again.active


@given(members)
def test_whoever_answers_is_used_when_the_active_one_is_gone(made: list[MemberView]) -> None:
    named = tuple(replace(member, key=PublicKey(bytes([number + 2]) * 32)) for number, member in enumerate(made))
    found = View((replace(GONE, key=A), *named), A)

    decision = decide(found, active_standby, NOW)

    if any(member.is_alive for member in named):
        best = min(member.standing(NOW) for member in named)
        assert found.member(decision.active).standing(NOW) is best
        assert decision.reason is Reason.ACTIVE_DOWN
    else:
        assert decision == Decision(A, Reason.ALL_DOWN)
