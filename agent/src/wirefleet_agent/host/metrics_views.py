# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What the engine knows, as the metrics want to see it."""

from __future__ import annotations

from ..engine.ha_settings import HubState
from ..observe.metrics import ClusterMetricsView, RedundancyView
from .cluster_service import ClusterService
from .live_tunnel import LiveTunnel
from .redundancy import Redundancy


def redundancy_view(live: LiveTunnel, redundancy: Redundancy, state: HubState) -> RedundancyView | None:
    """None without heartbeats. A host is a hub if it has other hubs to relay over, or spokes."""
    tunnel, ha = live.tunnel, redundancy.ha
    if tunnel is None or ha is None:
        return None
    relays, spokes = ha.relay_reports(), ha.spoke_reports()
    return RedundancyView(
        tunnel=tunnel.name,
        groups=ha.group_reports(),
        relays=relays,
        spokes=spokes if relays or spokes else None,
        spokes_using_us=ha.spokes_using_us,
        counters=ha.counters,
        epoch=state.epoch,
        is_draining=state.draining,
        sites=ha.site_reports(),
    )


def cluster_view(live: LiveTunnel, cluster: ClusterService) -> ClusterMetricsView | None:
    """None where no cluster is configured."""
    tunnel, report = live.tunnel, cluster.report
    if tunnel is None or cluster.options is None:
        return None
    return ClusterMetricsView(
        tunnel=tunnel.name,
        status=report.status,
        refused={
            "stranger": report.strangers,
            "not_authentic": report.not_authentic,
            "malformed": report.malformed,
            "refused_pickle": report.refused_pickles,
        },
    )
