# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The agent itself: what it is, since when it runs, what happened to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ._families import Family, Kind, Series

BUILD_INFO = Family(
    "wirefleet_build_info",
    Kind.GAUGE,
    "Always 1; version of the agent, of Python and the system's name.",
    ("version", "python", "platform"),
)
START_TIME = Family(
    "wirefleet_start_time_seconds", Kind.GAUGE, "When the agent began, by the host's clock, since 1970.", (), "seconds"
)
EVENTS = Family(
    "wirefleet_events_total",
    Kind.COUNTER,
    "Events of the agent since it began, as counters in status: config_applied, config_reverted and so on.",
    ("event",),
    "events",
)
CALLBACK_FAILURES = Family(
    "wirefleet_callback_failures_total",
    Kind.COUNTER,
    "Mistakes of ours that were caught; the log has each. 20 within a minute end the agent.",
    (),
    "failures",
)


@dataclass(frozen=True)
class AgentView:
    """started_at: seconds since 1970. events: of ``Counters``."""

    version: str
    python: str
    platform: str
    started_at: float
    events: Mapping[str, int]
    callback_failures: int


class AgentMetrics:
    """view: the agent as it is at this moment."""

    families = (BUILD_INFO, START_TIME, EVENTS, CALLBACK_FAILURES)

    def __init__(self, view: Callable[[], AgentView]) -> None:
        self._view = view

    def collect(self) -> Iterator[Series]:
        view = self._view()
        yield BUILD_INFO, [((view.version, view.python, view.platform), 1)]
        yield START_TIME, [((), view.started_at)]
        yield EVENTS, [((event,), count) for event, count in view.events.items()]
        yield CALLBACK_FAILURES, [((), view.callback_failures)]
