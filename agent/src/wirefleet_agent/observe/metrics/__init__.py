# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What Prometheus gets to see: families of series, sources that fill them, and the text in pieces.

A room that has something to tell brings a ``MetricSource`` in a file of its own. It is asked anew for every scrape, so
nothing is counted twice and nothing is kept here. ``rendering`` makes the text.
"""

from ._agent import AgentMetrics, AgentView
from ._cluster import ClusterMetrics, ClusterMetricsView
from ._device import DeviceMetrics, TunnelView
from ._families import Family, Kind, MetricSource, Row, Series
from ._redundancy import RedundancyMetrics, RedundancyView
from ._scrapes import ScrapeMetrics

__all__ = [
    "AgentMetrics",
    "AgentView",
    "ClusterMetrics",
    "ClusterMetricsView",
    "DeviceMetrics",
    "Family",
    "Kind",
    "MetricSource",
    "RedundancyMetrics",
    "RedundancyView",
    "Row",
    "ScrapeMetrics",
    "Series",
    "TunnelView",
]
