# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""No preemption: whoever carries the traffic keeps it as long as it works.

Each switch costs what is in flight and moves load between hubs; a hub that came back is no reason for that. Only the
hubs' own wish (a placement override, which an operator made) moves traffic that flows.
"""

from __future__ import annotations

from ..view import MemberView, View


def active_standby(view: View, now: float) -> MemberView | None:
    return None
