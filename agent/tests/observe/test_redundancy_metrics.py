# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Groups, members and the cluster as Prometheus sees them; the reports are the engine's own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.configs import public_key
from support.ha_net import SITE, HaHost, HaNet
from wirefleet_agent.engine.ha_settings import (
    GatewayReport,
    GroupReport,
    HaCounters,
    MemberReport,
    SiteReport,
    SpokeReport,
)
from wirefleet_agent.host.metrics_views import redundancy_view
from wirefleet_agent.observe.metrics import (
    ClusterMetrics,
    ClusterMetricsView,
    MetricSource,
    RedundancyMetrics,
    RedundancyView,
)
from wirefleet_agent.observe.metrics.rendering import render_pieces

HUBS = [public_key(f"hub-{number}") for number in (1, 2, 3)]


def member(number: int, **settings: object) -> MemberReport:
    made = MemberReport(
        key=HUBS[number - 1],
        state="alive",
        standing="well",
        rtt_s=0.012,
        missed=0,
        requests=100,
        replies=98,
        flaps=1,
        held_for_s=0.0,
        is_draining=False,
        is_broken=False,
        epoch=7,
    )
    return replace(made, **settings)  # type: ignore[arg-type]


def view(**settings: object) -> RedundancyView:
    counters = HaCounters(probes_sent=5, probes_answered=4, members_down=2)
    counters.switches["group", "down"] = 3
    counters.dropped["malformed"] = 9
    members = (member(1), member(2, state="down", rtt_s=None, missed=4, is_draining=True), member(3, is_broken=True))
    made = RedundancyView(
        tunnel="wf0",
        groups=[GroupReport("hubs", "active_standby", HUBS[0], 12.5, 3, members)],
        relays=[],
        spokes=None,
        spokes_using_us=0,
        counters=counters,
        epoch=7,
        is_draining=False,
    )
    return replace(made, **settings)  # type: ignore[arg-type]


def values(source: MetricSource) -> dict[tuple[str, ...], float]:
    """(name, values of the labels but the tunnel's, ordered by label) -> value."""
    text = b"".join(render_pieces([source])).decode()
    return {
        (sample.name, *(value for label, value in sorted(sample.labels.items()) if label != "tunnel")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_spoke_tells_which_hub_it_uses_and_what_it_knows_of_each() -> None:
    found = values(RedundancyMetrics(view))
    one, two, three = map(str, HUBS)

    assert [found["wirefleet_group_active", "hubs", key] for key in (one, two, three)] == [1, 0, 0]
    assert [found["wirefleet_member_alive", key] for key in (one, two, three)] == [1, 0, 1]
    assert [found["wirefleet_member_draining", key] for key in (one, two, three)] == [0, 1, 0]
    assert [found["wirefleet_member_broken", key] for key in (one, two, three)] == [0, 0, 1]
    assert [found["wirefleet_heartbeats_missed", key] for key in (one, two, three)] == [0, 4, 0]
    assert found["wirefleet_heartbeat_rtt_seconds", one] == 0.012
    assert ("wirefleet_heartbeat_rtt_seconds", two) not in found
    assert found["wirefleet_heartbeats_sent_total", one] == 100
    assert found["wirefleet_heartbeats_answered_total", one] == 98
    assert found["wirefleet_member_config_epoch", one] == 7
    assert found["wirefleet_group_active_age_seconds", "hubs"] == 12.5
    assert found["wirefleet_switches_total", "group", "down"] == 3
    assert found["wirefleet_heartbeats_dropped_total", "malformed"] == 9
    assert found["wirefleet_probes_total", "answered"] == 4
    assert found["wirefleet_members_down_total",] == 2
    assert found["wirefleet_config_epoch",] == 7
    assert not any("spokes" in name for name, *_ in found)


def test_a_hub_counts_its_spokes_by_the_way_to_them() -> None:
    spokes = [
        SpokeReport(public_key("a"), True, True, None, "direct"),
        SpokeReport(public_key("b"), True, True, None, "direct"),
        SpokeReport(public_key("c"), False, False, HUBS[1], "claimed"),
    ]

    found = values(RedundancyMetrics(lambda: view(groups=[], relays=[member(2)], spokes=spokes, spokes_using_us=2)))

    assert found["wirefleet_spokes", "direct"] == 2
    assert found["wirefleet_spokes", "relayed"] == 1
    assert found["wirefleet_spokes_heard",] == 2
    assert found["wirefleet_spokes_using_this_hub",] == 2
    assert found["wirefleet_member_alive", str(HUBS[1])] == 1


def test_a_member_of_several_groups_is_told_once() -> None:
    groups = [
        GroupReport("hubs", "active_standby", HUBS[0], 1.0, 0, (member(1), member(2))),
        GroupReport("site", "priority_preempt", HUBS[1], 1.0, 0, (member(1), member(2))),
    ]

    text = b"".join(render_pieces([RedundancyMetrics(lambda: view(groups=groups))])).decode()

    assert text.count("\nwirefleet_member_alive{") == 2
    assert text.count("\nwirefleet_group_active{") == 4


def test_without_heartbeats_and_without_a_cluster_there_is_nothing_to_tell() -> None:
    assert list(render_pieces([RedundancyMetrics(lambda: None), ClusterMetrics(lambda: None)])) == []


@dataclass(frozen=True)
class Status:
    role: str = "leader"
    term: int = 5
    leader: str | None = "10.86.0.1:51822"
    has_quorum: bool = True
    connected: tuple[str, ...] = ("b", "c")
    commit_index: int = 41
    applied_index: int = 40


@pytest.mark.parametrize("role", ["follower", "candidate", "leader"])
def test_a_hub_tells_its_part_in_the_cluster(role: str) -> None:
    cluster = ClusterMetricsView("wf0", Status(role=role), {"not_authentic": 3})

    found = values(ClusterMetrics(lambda: cluster))

    roles = {name: found["wirefleet_cluster_role", name] for name in ("follower", "candidate", "leader")}
    assert roles == dict.fromkeys(roles, 0) | {role: 1}
    assert found["wirefleet_cluster_running",] == 1
    assert found["wirefleet_cluster_term",] == 5
    assert found["wirefleet_cluster_commit_index",] == 41
    assert found["wirefleet_cluster_applied_index",] == 40
    assert found["wirefleet_cluster_has_quorum",] == 1
    assert found["wirefleet_cluster_has_leader",] == 1
    assert found["wirefleet_cluster_connected_members",] == 2
    assert found["wirefleet_cluster_refused_total", "not_authentic"] == 3


def test_a_hub_that_does_not_take_part_says_so_and_nothing_stale() -> None:
    found = values(ClusterMetrics(lambda: ClusterMetricsView("wf0", None)))

    assert found == {("wirefleet_cluster_running",): 0}


def test_a_hub_tells_which_gateway_of_a_site_it_uses_and_which_ones_are_well() -> None:
    one, two = public_key("a"), public_key("b")
    gateways = (GatewayReport(one, False, False, False), GatewayReport(two, True, True, True))
    sites = [
        SiteReport("lan", two, None, "in_use", 12.5, 3, gateways),
        SiteReport("lost", one, HUBS[1], "claimed", 12.5, 3, gateways[:1]),
    ]

    found = values(RedundancyMetrics(lambda: view(groups=[], relays=[member(2)], spokes=[], sites=sites)))

    assert (found["wirefleet_sites", "direct"], found["wirefleet_sites", "relayed"]) == (1, 1)
    assert found["wirefleet_site_gateway_in_use", str(one), "lan"] == 0
    assert found["wirefleet_site_gateway_in_use", str(two), "lan"] == 1
    assert found["wirefleet_site_gateway_in_use", str(one), "lost"] == 1
    assert found["wirefleet_site_gateway_well", str(one), "lan"] == 0
    assert found["wirefleet_site_gateway_well", str(two), "lan"] == 1


def test_a_host_without_sites_tells_nothing_of_them() -> None:
    assert not any("site" in name for name, *_ in values(RedundancyMetrics(view)))


def test_what_the_engine_reports_of_sites_is_what_is_told() -> None:
    net = HaNet(spokes=3, gateways=2).settled()
    try:
        one, two = net.spokes[:2]
        net.kill(one)
        net.run_for(5)
        found = values(RedundancyMetrics(lambda: seen_by(net.hubs[0])))
    finally:
        net.close()

    assert found["wirefleet_site_gateway_in_use", str(two.public_key), SITE] == 1
    assert found["wirefleet_site_gateway_well", str(one.public_key), SITE] == 0
    assert found["wirefleet_switches_total", "site", "took_over"] == 1


def test_what_the_engine_reports_is_what_is_told() -> None:
    """Hubs and spokes at work, and a hub that is killed."""
    net = HaNet(spokes=2).settled()
    try:
        spoke, hub = net.spokes[0], net.hubs[1]
        before = values(RedundancyMetrics(lambda: seen_by(spoke)))
        net.kill(net.hubs[0])
        net.run_for(10)
        after, at_hub = (values(RedundancyMetrics(lambda host=host: seen_by(host))) for host in (spoke, hub))
    finally:
        net.close()

    first, second = str(net.hubs[0].public_key), str(net.hubs[1].public_key)
    assert (before["wirefleet_group_active", "hubs", first], after["wirefleet_group_active", "hubs", first]) == (1, 0)
    assert after["wirefleet_group_active", "hubs", second] == 1
    assert (before["wirefleet_member_alive", first], after["wirefleet_member_alive", first]) == (1, 0)
    assert after["wirefleet_heartbeats_missed", first] >= 3
    assert sum(count for name, count in after.items() if name[0] == "wirefleet_switches_total") == 1
    assert after["wirefleet_members_down_total",] == 1
    assert before["wirefleet_heartbeats_answered_total", first] > 5
    assert at_hub["wirefleet_spokes", "direct"] == 2
    assert at_hub["wirefleet_spokes_using_this_hub",] == 2
    assert not any("spokes" in name for name, *_ in after)


def seen_by(host: HaHost) -> RedundancyView | None:
    live, redundancy = SimpleNamespace(tunnel=host.tunnel), SimpleNamespace(ha=host.ha)
    return redundancy_view(live, redundancy, host.state)  # type: ignore[arg-type]
