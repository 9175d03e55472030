# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""This hub's part in the cluster. What the cluster reports fits the protocol here; nothing of it is imported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ._families import Family, Kind, Series

_TUNNEL = ("tunnel",)
_ROLES = ("follower", "candidate", "leader")

RUNNING = Family(
    "wirefleet_cluster_running",
    Kind.GAUGE,
    "1 while this hub takes part in the cluster; the log says why not.",
    _TUNNEL,
)
ROLE = Family(
    "wirefleet_cluster_role",
    Kind.GAUGE,
    "1 for the role that this hub has (follower, candidate, leader), 0 for the others.",
    ("tunnel", "role"),
)
TERM = Family("wirefleet_cluster_term", Kind.GAUGE, "The term of the election that this hub knows.", _TUNNEL)
COMMIT = Family(
    "wirefleet_cluster_commit_index", Kind.GAUGE, "Index of the last entry that is known to be committed.", _TUNNEL
)
APPLIED = Family("wirefleet_cluster_applied_index", Kind.GAUGE, "Index of the last entry that was applied.", _TUNNEL)
QUORUM = Family(
    "wirefleet_cluster_has_quorum",
    Kind.GAUGE,
    "1 while this hub is in touch with so many that changes are possible.",
    _TUNNEL,
)
HAS_LEADER = Family("wirefleet_cluster_has_leader", Kind.GAUGE, "1 while this hub hears a leader, or is it.", _TUNNEL)
CONNECTED = Family(
    "wirefleet_cluster_connected_members",
    Kind.GAUGE,
    "Other members that this hub is connected to.",
    _TUNNEL,
    "members",
)
REFUSED = Family(
    "wirefleet_cluster_refused_total",
    Kind.COUNTER,
    "Connections and messages that the cluster refused, by reason: not from a member, not authentic, malformed, or a "
    "pickle with something in it that is not allowed.",
    ("tunnel", "reason"),
    "messages",
)


class ReplicaStatus(Protocol):
    """leader: a member's name, None while there is none that this hub hears."""

    @property
    def role(self) -> str: ...
    @property
    def term(self) -> int: ...
    @property
    def leader(self) -> str | None: ...
    @property
    def has_quorum(self) -> bool: ...
    @property
    def connected(self) -> Sequence[str]: ...
    @property
    def commit_index(self) -> int: ...
    @property
    def applied_index(self) -> int: ...


@dataclass(frozen=True)
class ClusterMetricsView:
    """status: None while this hub does not take part. refused: by reason."""

    tunnel: str
    status: ReplicaStatus | None
    refused: Mapping[str, int] = field(default_factory=dict)


class ClusterMetrics:
    """view: None where there is no cluster."""

    families = (RUNNING, ROLE, TERM, COMMIT, APPLIED, QUORUM, HAS_LEADER, CONNECTED, REFUSED)

    def __init__(self, view: Callable[[], ClusterMetricsView | None]) -> None:
        self._view = view

    def collect(self) -> Iterator[Series]:
        view = self._view()
        if view is None:
            return
        tunnel, status = (view.tunnel,), view.status
        yield RUNNING, [(tunnel, status is not None)]
        if status is not None:
            yield ROLE, [((view.tunnel, role), status.role == role) for role in _ROLES]
            yield TERM, [(tunnel, status.term)]
            yield COMMIT, [(tunnel, status.commit_index)]
            yield APPLIED, [(tunnel, status.applied_index)]
            yield QUORUM, [(tunnel, status.has_quorum)]
            yield HAS_LEADER, [(tunnel, status.leader is not None)]
            yield CONNECTED, [(tunnel, len(status.connected))]
        yield REFUSED, [((view.tunnel, reason), count) for reason, count in view.refused.items()]
