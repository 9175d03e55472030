# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Which member of a group carries its traffic: ``decide(view, now)``, pure. Only engine/ acts.

A working member is left by these rules only; "best" is the first in the order of preference of the best standing.

==================  =====================================  ==================
the active one is   it is left for the best one that is    reason
==================  =====================================  ==================
GONE                anything but GONE                      active_down
GONE                nobody is there: stay                  all_down
BROKEN              GOOD, HELD or DRAINING                 active_broken
DRAINING            GOOD                                   active_draining
GOOD or HELD        the hubs' wish, if it is GOOD          override
GOOD or HELD        what the policy says                   preempted
==================  =====================================  ==================

* The new one takes over before the old one is left (make before break): sessions to all are warm.
* HELD is no reason to leave: an active member that just came back is better than a switch.
* A draining member is not left for a held one: it still works, the hold ends, and then it is left.
* With all gone nothing is better than to stay; the first that answers gets the traffic.
"""

from __future__ import annotations

from .policies import Policy
from .view import Decision, MemberView, Reason, Standing, View

_LEFT_FOR = {
    Standing.GONE: (Standing.BROKEN, Reason.ACTIVE_DOWN),
    Standing.BROKEN: (Standing.DRAINING, Reason.ACTIVE_BROKEN),
    Standing.DRAINING: (Standing.GOOD, Reason.ACTIVE_DRAINING),
}
"""The standing of the active one -> the worst standing that it is left for, and the reason."""


def decide(view: View, policy: Policy, now: float) -> Decision:
    """Raises KeyError if the active one is no member."""
    active = view.member(view.active)
    standing = active.standing(now)
    if standing in _LEFT_FOR:
        worst, reason = _LEFT_FOR[standing]
        best = _best(view, now)
        if best.standing(now) <= worst:
            return Decision(best.key, reason)
        return Decision(view.active, Reason.ALL_DOWN if standing is Standing.GONE else Reason.STAY)
    wished = _wished(view, now)
    if wished is not None:
        return Decision(wished.key, Reason.STAY if wished.key == view.active else Reason.OVERRIDE)
    better = policy(view, now)
    if better is not None and better.key != view.active:
        return Decision(better.key, Reason.PREEMPTED)
    return Decision(view.active, Reason.STAY)


def _best(view: View, now: float) -> MemberView:
    """The first in the order of preference among those of the best standing."""
    return min(view.by_preference(), key=lambda member: member.standing(now))


def _wished(view: View, now: float) -> MemberView | None:
    """What the hubs wish, if it can serve, or serves already."""
    for member in view.members:
        if member.key == view.override:
            good = (Standing.GOOD, Standing.HELD) if member.key == view.active else (Standing.GOOD,)
            return member if member.standing(now) in good else None
    return None
