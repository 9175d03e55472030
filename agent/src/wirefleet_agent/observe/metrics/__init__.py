# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What Prometheus gets to see: families of series, sources that fill them, and the text in pieces.

A room that has something to tell brings a ``MetricSource`` in a file of its own. It is asked anew for every scrape, so
nothing is counted twice and nothing is kept here. ``rendering`` makes the text.
"""

from ._agent import AgentMetrics, AgentView
from ._device import DeviceMetrics, TunnelView
from ._families import Family, Kind, MetricSource, Row, Series
from ._scrapes import ScrapeMetrics

__all__ = [
    "AgentMetrics",
    "AgentView",
    "DeviceMetrics",
    "Family",
    "Kind",
    "MetricSource",
    "Row",
    "ScrapeMetrics",
    "Series",
    "TunnelView",
]
