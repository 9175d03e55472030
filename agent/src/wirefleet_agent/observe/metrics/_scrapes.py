# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Who asked for metrics and what he got: whatever a caller does is counted, and only counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ._families import Family, Kind, Series

CONNECTIONS = Family(
    "wirefleet_scrape_connections_total",
    Kind.COUNTER,
    "Connections to the metrics' port that ended: answered; invalid (400, 404, 405); refused (the source is no "
    "peer's); displaced (too many at once); failed (too slow, or gone).",
    ("outcome",),
    "connections",
)


class ScrapeMetrics:
    """counts: connections by outcome."""

    families = (CONNECTIONS,)

    def __init__(self, counts: Callable[[], Mapping[str, int]]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Series]:
        yield CONNECTIONS, [((outcome,), count) for outcome, count in self._counts().items()]
