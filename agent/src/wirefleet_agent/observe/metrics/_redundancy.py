# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Heartbeats, members and groups. What the engine reports fits the protocols here; nothing of it is imported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ...keys import PublicKey
from ._families import Family, Kind, Row, Series

_TUNNEL = ("tunnel",)
_PEER = ("tunnel", "peer")

EPOCH = Family(
    "wirefleet_config_epoch",
    Kind.GAUGE,
    "Epoch of the fleet's configuration, as this host knows it; 0 unknown.",
    _TUNNEL,
)
DRAINING = Family("wirefleet_draining", Kind.GAUGE, "1 while this host asks to be left.", _TUNNEL)
ALIVE = Family(
    "wirefleet_member_alive", Kind.GAUGE, "1 while the member (a hub, mostly) answers our heartbeats.", _PEER
)
MEMBER_DRAINING = Family("wirefleet_member_draining", Kind.GAUGE, "1 while the member asks to be left.", _PEER)
MEMBER_BROKEN = Family(
    "wirefleet_member_broken",
    Kind.GAUGE,
    "1 while the member answers, but does not forward: it is treated as down for traffic.",
    _PEER,
)
MEMBER_FLAPS = Family(
    "wirefleet_member_flaps",
    Kind.GAUGE,
    "How often the member was lost lately; the more, the longer it has to be well before it is used again.",
    _PEER,
    "losses",
)
MEMBER_EPOCH = Family(
    "wirefleet_member_config_epoch", Kind.GAUGE, "Epoch of the configuration that the member says it has.", _PEER
)
RTT = Family(
    "wirefleet_heartbeat_rtt_seconds",
    Kind.GAUGE,
    "Round-trip time of heartbeats, through both hosts' tunnels and kernels. No series before the first answer.",
    _PEER,
    "seconds",
)
SENT = Family("wirefleet_heartbeats_sent_total", Kind.COUNTER, "Heartbeats sent to the member.", _PEER, "heartbeats")
ANSWERED = Family(
    "wirefleet_heartbeats_answered_total",
    Kind.COUNTER,
    "Heartbeats that the member answered in time; sent minus answered were lost, or are on their way.",
    _PEER,
    "heartbeats",
)
MISSED = Family(
    "wirefleet_heartbeats_missed",
    Kind.GAUGE,
    "Intervals since the member's last answer; as many as misses allows mean down.",
    _PEER,
    "intervals",
)
GROUP_ACTIVE = Family(
    "wirefleet_group_active",
    Kind.GAUGE,
    "1 for the member that the group's traffic goes to, 0 for the others.",
    ("tunnel", "group", "peer"),
)
GROUP_ACTIVE_FOR = Family(
    "wirefleet_group_active_age_seconds",
    Kind.GAUGE,
    "For how long the active member has been it.",
    ("tunnel", "group"),
    "seconds",
)
SWITCHES = Family(
    "wirefleet_switches_total",
    Kind.COUNTER,
    "Changes of an active member, by kind (group: chosen here; spoke: a hub followed a spoke; site: a hub chose "
    "another gateway or hub for a LAN) and reason.",
    ("tunnel", "kind", "reason"),
    "switches",
)
MEMBERS_DOWN = Family(
    "wirefleet_members_down_total", Kind.COUNTER, "Times that a member was declared down.", _TUNNEL, "times"
)
RECONNECTS = Family(
    "wirefleet_reconnects_total",
    Kind.COUNTER,
    "Attempts to reach a member that is down: its name resolved anew, and a handshake.",
    _TUNNEL,
    "attempts",
)
PROBES = Family(
    "wirefleet_probes_total",
    Kind.COUNTER,
    "Probes whether an active member forwards to another one, by outcome (sent, answered).",
    ("tunnel", "outcome"),
    "probes",
)
HEARTBEAT_DROPS = Family(
    "wirefleet_heartbeats_dropped_total",
    Kind.COUNTER,
    "Heartbeats of others that were refused, by reason. No series before the first of a reason.",
    ("tunnel", "reason"),
    "heartbeats",
)
SEND_FAILURES = Family(
    "wirefleet_heartbeat_send_failures_total",
    Kind.COUNTER,
    "Heartbeats that could not be sent.",
    _TUNNEL,
    "heartbeats",
)
SPOKES = Family(
    "wirefleet_spokes",
    Kind.GAUGE,
    "On a hub: spokes with an agent, by the way that packets to them take (direct, relayed over another hub).",
    ("tunnel", "path"),
    "spokes",
)
SPOKES_HEARD = Family(
    "wirefleet_spokes_heard", Kind.GAUGE, "On a hub: spokes whose heartbeats arrive.", _TUNNEL, "spokes"
)
SPOKES_USING_US = Family(
    "wirefleet_spokes_using_this_hub",
    Kind.GAUGE,
    "On a hub: spokes that say that they use it; a drained hub may go when there are none.",
    _TUNNEL,
    "spokes",
)
SITES = Family(
    "wirefleet_sites",
    Kind.GAUGE,
    "On a hub: LANs behind several spokes, by the way that packets to them take (direct, relayed over another hub).",
    ("tunnel", "path"),
    "sites",
)
SITE_GATEWAY = Family(
    "wirefleet_site_gateway_in_use",
    Kind.GAUGE,
    "On a hub: 1 for the gateway of the site that is used, or was last while packets go over another hub; else 0.",
    ("tunnel", "site", "peer"),
)
SITE_GATEWAY_WELL = Family(
    "wirefleet_site_gateway_well",
    Kind.GAUGE,
    "On a hub: 1 while heartbeats of the site's gateway arrive, and our answers there.",
    ("tunnel", "site", "peer"),
)


class MemberReport(Protocol):
    """One member that this host asks."""

    @property
    def key(self) -> PublicKey: ...
    @property
    def state(self) -> str: ...
    @property
    def rtt_s(self) -> float | None: ...
    @property
    def missed(self) -> int: ...
    @property
    def requests(self) -> int: ...
    @property
    def replies(self) -> int: ...
    @property
    def flaps(self) -> int: ...
    @property
    def is_draining(self) -> bool: ...
    @property
    def is_broken(self) -> bool: ...
    @property
    def epoch(self) -> int: ...


class GroupReport(Protocol):
    """One group whose active member this host chooses."""

    @property
    def name(self) -> str: ...
    @property
    def active(self) -> PublicKey: ...
    @property
    def since_s(self) -> float: ...
    @property
    def members(self) -> Sequence[MemberReport]: ...


class SpokeReport(Protocol):
    """One spoke of this hub. via: the hub that packets to it go over, None is direct."""

    @property
    def is_heard(self) -> bool: ...
    @property
    def via(self) -> PublicKey | None: ...


class GatewayReport(Protocol):
    """One gateway of a site."""

    @property
    def key(self) -> PublicKey: ...
    @property
    def is_well(self) -> bool: ...


class SiteReport(Protocol):
    """One LAN behind several spokes of this hub. via: the hub that packets to it go over, None is direct."""

    @property
    def name(self) -> str: ...
    @property
    def gateway(self) -> PublicKey: ...
    @property
    def via(self) -> PublicKey | None: ...
    @property
    def gateways(self) -> Sequence[GatewayReport]: ...


class HeartbeatCounters(Protocol):
    """They only grow. switches: by (kind, reason)."""

    probes_sent: int
    probes_answered: int
    send_failures: int
    members_down: int
    reconnects: int
    dropped: Counter[str]
    switches: Counter[tuple[str, str]]


@dataclass(frozen=True)
class RedundancyView:
    """The redundancy of one tunnel at this moment. relays: on a hub, the other hubs. spokes: None if this is no hub."""

    tunnel: str
    groups: Sequence[GroupReport]
    relays: Sequence[MemberReport]
    spokes: Sequence[SpokeReport] | None
    spokes_using_us: int
    counters: HeartbeatCounters
    epoch: int
    is_draining: bool
    sites: Sequence[SiteReport] = ()


class RedundancyMetrics:
    """view: None without heartbeats."""

    families = (
        EPOCH,
        DRAINING,
        ALIVE,
        MEMBER_DRAINING,
        MEMBER_BROKEN,
        MEMBER_FLAPS,
        MEMBER_EPOCH,
        RTT,
        SENT,
        ANSWERED,
        MISSED,
        GROUP_ACTIVE,
        GROUP_ACTIVE_FOR,
        SWITCHES,
        MEMBERS_DOWN,
        RECONNECTS,
        PROBES,
        HEARTBEAT_DROPS,
        SEND_FAILURES,
        SPOKES,
        SPOKES_HEARD,
        SPOKES_USING_US,
        SITES,
        SITE_GATEWAY,
        SITE_GATEWAY_WELL,
    )

    def __init__(self, view: Callable[[], RedundancyView | None]) -> None:
        self._view = view

    def collect(self) -> Iterator[Series]:
        view = self._view()
        if view is None:
            return
        yield EPOCH, [((view.tunnel,), view.epoch)]
        yield DRAINING, [((view.tunnel,), view.is_draining)]
        yield from _member_series(view)
        yield from _group_series(view)
        yield from _counter_series(view)
        if view.spokes is not None:
            yield from _spoke_series(view, view.spokes)
        if view.sites:
            yield from _site_series(view)


def _member_series(view: RedundancyView) -> Iterator[Series]:
    """A member of several groups is one member."""
    members: Mapping[PublicKey, MemberReport] = {
        member.key: member for members in (*(group.members for group in view.groups), view.relays) for member in members
    }
    labelled = [((view.tunnel, str(key)), member) for key, member in members.items()]

    def each(value: Callable[[MemberReport], float]) -> list[Row]:
        return [(labels, value(member)) for labels, member in labelled]

    yield ALIVE, each(lambda member: member.state == "alive")
    yield MEMBER_DRAINING, each(lambda member: member.is_draining)
    yield MEMBER_BROKEN, each(lambda member: member.is_broken)
    yield MEMBER_FLAPS, each(lambda member: member.flaps)
    yield MEMBER_EPOCH, each(lambda member: member.epoch)
    yield RTT, [(labels, member.rtt_s) for labels, member in labelled if member.rtt_s is not None]
    yield SENT, each(lambda member: member.requests)
    yield ANSWERED, each(lambda member: member.replies)
    yield MISSED, each(lambda member: member.missed)


def _group_series(view: RedundancyView) -> Iterator[Series]:
    yield (
        GROUP_ACTIVE,
        [
            ((view.tunnel, group.name, str(member.key)), member.key == group.active)
            for group in view.groups
            for member in group.members
        ],
    )
    yield GROUP_ACTIVE_FOR, [((view.tunnel, group.name), group.since_s) for group in view.groups]


def _counter_series(view: RedundancyView) -> Iterator[Series]:
    tunnel, counters = view.tunnel, view.counters
    yield SWITCHES, [((tunnel, kind, reason), count) for (kind, reason), count in sorted(counters.switches.items())]
    yield MEMBERS_DOWN, [((tunnel,), counters.members_down)]
    yield RECONNECTS, [((tunnel,), counters.reconnects)]
    yield PROBES, [((tunnel, "sent"), counters.probes_sent), ((tunnel, "answered"), counters.probes_answered)]
    yield HEARTBEAT_DROPS, [((tunnel, reason), count) for reason, count in sorted(counters.dropped.items())]
    yield SEND_FAILURES, [((tunnel,), counters.send_failures)]


def _spoke_series(view: RedundancyView, spokes: Sequence[SpokeReport]) -> Iterator[Series]:
    relayed = sum(spoke.via is not None for spoke in spokes)
    yield SPOKES, [((view.tunnel, "direct"), len(spokes) - relayed), ((view.tunnel, "relayed"), relayed)]
    yield SPOKES_HEARD, [((view.tunnel,), sum(spoke.is_heard for spoke in spokes))]
    yield SPOKES_USING_US, [((view.tunnel,), view.spokes_using_us)]


def _site_series(view: RedundancyView) -> Iterator[Series]:
    relayed = sum(site.via is not None for site in view.sites)
    yield SITES, [((view.tunnel, "direct"), len(view.sites) - relayed), ((view.tunnel, "relayed"), relayed)]
    gateways = [(site, each) for site in view.sites for each in site.gateways]
    labelled = [((view.tunnel, site.name, str(each.key)), site, each) for site, each in gateways]
    yield SITE_GATEWAY, [(labels, each.key == site.gateway) for labels, site, each in labelled]
    yield SITE_GATEWAY_WELL, [(labels, each.is_well) for labels, _, each in labelled]
