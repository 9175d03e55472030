# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The best member carries the traffic, after it has been well for ``hold_s`` without a break.

The hold comes on top of nothing: it runs beside the one that flaps cause (``hysteresis``), and the longer one counts.
"""

from __future__ import annotations

from ..view import MemberView, View


def priority_preempt(view: View, now: float) -> MemberView | None:
    for member in view.by_preference():
        if member.key == view.active:
            return None
        if member.has_been_well(view.hold_s, now):
            return member
    return None
