# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""When a member that works is left for a better one: a policy each. A policy never leaves for a worse one."""

from collections.abc import Callable, Mapping

from ..view import MemberView, View
from .active_standby import active_standby
from .priority_preempt import priority_preempt

Policy = Callable[[View, float], MemberView | None]
"""The member to take the traffic from a working active one, or None: stay."""

POLICIES: Mapping[str, Policy] = {"active_standby": active_standby, "priority_preempt": priority_preempt}

__all__ = ["POLICIES", "Policy", "active_standby", "priority_preempt"]
