# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What a decision is made of, and what it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, IntEnum

from ..keys import PublicKey


class Standing(IntEnum):
    """How fit a member is to carry traffic; the smaller, the better.

    ========  ===========================================================================
    GOOD      answers, forwards, and has been well for its hold
    HELD      answers, but came back only now
    DRAINING  answers and says that it will go
    BROKEN    answers, but packets over it do not arrive ("online but broken")
    GONE      does not answer, or has not answered yet
    ========  ===========================================================================
    """

    GOOD = 0
    HELD = 1
    DRAINING = 2
    BROKEN = 3
    GONE = 4


class Reason(Enum):
    """Why the active member is this one; the value is a label in logs and metrics."""

    STAY = "stay"
    ALL_DOWN = "all_down"
    ACTIVE_DOWN = "active_down"
    ACTIVE_BROKEN = "active_broken"
    ACTIVE_DRAINING = "active_draining"
    PREEMPTED = "preempted"
    OVERRIDE = "override"


@dataclass(frozen=True)
class MemberView:
    """well_since: since when it has been answering and forwarding, inf if it does not."""

    key: PublicKey
    is_alive: bool
    is_draining: bool = False
    is_broken: bool = False
    held_until: float = -math.inf
    well_since: float = -math.inf

    def standing(self, now: float) -> Standing:
        if not self.is_alive:
            return Standing.GONE
        if self.is_broken:
            return Standing.BROKEN
        if self.is_draining:
            return Standing.DRAINING
        return Standing.HELD if now < self.held_until else Standing.GOOD

    def has_been_well(self, hold_s: float, now: float) -> bool:
        return self.standing(now) is Standing.GOOD and now - self.well_since >= hold_s


@dataclass(frozen=True)
class View:
    """members: best first. active: one of them. override: what the hubs wish, perhaps of no member."""

    members: tuple[MemberView, ...]
    active: PublicKey
    override: PublicKey | None = None
    hold_s: float = 30.0

    def member(self, key: PublicKey) -> MemberView:
        """Raises KeyError."""
        for member in self.members:
            if member.key == key:
                return member
        raise KeyError(str(key))

    def by_preference(self) -> tuple[MemberView, ...]:
        """Best first, the wish of the hubs before all."""
        return tuple(sorted(self.members, key=lambda member: member.key != self.override))


@dataclass(frozen=True)
class Decision:
    """active: who is to carry the traffic from now on; the one of the view: no switch."""

    active: PublicKey
    reason: Reason
