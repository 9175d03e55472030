# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The planner: a fleet's inventory and lock file in, its plan out. No Ansible, no files, no clock, no chance."""

from __future__ import annotations

from ._inputs import parse_endpoint
from ._lock import Lock, LockedHost, parse_lock, render_lock
from ._model import FLEET_VARIABLES, HOST_VARIABLES, Endpoint, Fleet, Host, PlanRequest
from ._names import is_host_name, is_windows_tunnel_name, natural_sort
from ._networks import canonical_network
from ._placement import Candidate, rank_hubs, score
from ._plan import Plan, make_plan

__all__ = [
    "FLEET_VARIABLES",
    "HOST_VARIABLES",
    "Candidate",
    "Endpoint",
    "Fleet",
    "Host",
    "Lock",
    "LockedHost",
    "Plan",
    "PlanRequest",
    "canonical_network",
    "is_host_name",
    "is_windows_tunnel_name",
    "make_plan",
    "natural_sort",
    "parse_endpoint",
    "parse_lock",
    "rank_hubs",
    "render_lock",
    "score",
]
