# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What three hubs at work tell Prometheus of their cluster."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from prometheus_client.parser import text_string_to_metric_families
from support.hubs import Hub, Hubs, wait_for
from wirefleet_agent.host.metrics_views import cluster_view
from wirefleet_agent.observe.metrics import ClusterMetrics
from wirefleet_agent.observe.metrics.rendering import render_pieces


def values(hub: Hub) -> dict[tuple[str, ...], float]:
    live = SimpleNamespace(tunnel=SimpleNamespace(name="wf0"))
    service = SimpleNamespace(options=object(), report=hub.runner.report)
    source = ClusterMetrics(lambda: cluster_view(live, service))  # type: ignore[arg-type]
    return {
        (sample.name, *(value for label, value in sorted(sample.labels.items()) if label != "tunnel")): sample.value
        for family in text_string_to_metric_families(b"".join(render_pieces([source])).decode())
        for sample in family.samples
    }


def test_three_hubs_tell_one_leader_and_what_they_have_committed(tmp_path: Path) -> None:
    hubs = Hubs(tmp_path)
    try:
        hubs.start()
        leader = hubs.leader()
        before = values(leader)
        leader.revoke(9)
        after = values(leader)
        others = [values(hub) for hub in hubs if hub is not leader]
        for hub in hubs:
            if hub is not leader:
                hub.stop()
        alone = wait_for(lambda: (leader.turn(), values(leader))[1]["wirefleet_cluster_has_quorum",] == 0)
    finally:
        hubs.stop()

    assert before["wirefleet_cluster_role", "leader"] == 1
    assert before["wirefleet_cluster_has_quorum",] == before["wirefleet_cluster_has_leader",] == 1
    assert before["wirefleet_cluster_connected_members",] == 2
    assert before["wirefleet_cluster_term",] >= 1
    assert after["wirefleet_cluster_commit_index",] > before["wirefleet_cluster_commit_index",]
    assert [found["wirefleet_cluster_role", "follower"] for found in others] == [1, 1]
    assert {found["wirefleet_cluster_term",] for found in others} == {before["wirefleet_cluster_term",]}
    assert after["wirefleet_cluster_refused_total", "not_authentic"] == 0
    assert alone
