# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What the redundancy of one tunnel is told, what it counts, and what it reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ..ha.backoff import Jitter
from ..keys import PublicKey


class HubState(Protocol):
    """What the hubs have agreed on, as far as this host knows; never asked for anything else."""

    @property
    def draining(self) -> bool:
        """This host is to be left."""

    @property
    def epoch(self) -> int:
        """Of the configuration, 0 unknown."""

    def override_of(self, key: PublicKey) -> PublicKey | None:
        """The hub that this spoke is to use, None: no wish."""


@dataclass
class LocalHubState:
    """Without a cluster: what was said on this host."""

    draining: bool = False
    epoch: int = 0
    overrides: dict[PublicKey, PublicKey] = field(default_factory=dict)

    def override_of(self, key: PublicKey) -> PublicKey | None:
        return self.overrides.get(key)


@dataclass(frozen=True)
class GroupSettings:
    """policy: a name of ``ha.policies.POLICIES``. hold_s: how long a better member has to be well."""

    policy: str = "active_standby"
    hold_s: float = 30.0


@dataclass(frozen=True)
class HaSettings:
    """own_addresses: packed, of this host. addresses: packed heartbeat addresses of peers, IPv4 before IPv6.

    groups: by name, those whose members this host asks. relays: on a hub, the other hubs. sites: on a hub, the names of
    groups of LANs behind several spokes. There every other group of the device with a direct member is a spoke's.
    """

    port: int
    interval_s: float
    misses: int
    own_addresses: tuple[bytes, ...]
    addresses: Mapping[PublicKey, tuple[bytes, ...]]
    groups: Mapping[str, GroupSettings] = field(default_factory=dict)
    relays: tuple[PublicKey, ...] = ()
    sites: frozenset[str] = frozenset()


@dataclass(frozen=True)
class HaContext:
    """What the redundancy needs from outside.

    jitter: 0..1, random. instance: differs with every start. first_count: ahead of all switch counts before (seconds
    since the epoch). reconnect: start a handshake with this peer, its endpoint resolved anew.
    """

    jitter: Jitter
    instance: int
    first_count: int
    state: HubState
    reconnect: Callable[[PublicKey], None]


@dataclass
class HaCounters:
    """They only grow. dropped: heartbeats that were refused, by reason. switches: by (kind, reason)."""

    requests_sent: int = 0
    replies_received: int = 0
    requests_received: int = 0
    replies_sent: int = 0
    probes_sent: int = 0
    probes_answered: int = 0
    claims_sent: int = 0
    claims_received: int = 0
    send_failures: int = 0
    members_down: int = 0
    reconnects: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    switches: Counter[tuple[str, str]] = field(default_factory=Counter)


@dataclass(frozen=True)
class MemberReport:
    """state: unproven, alive or down. standing: as in ``ha.view.Standing``, lower case. held_for_s: what is left."""

    key: PublicKey
    state: str
    standing: str
    rtt_s: float | None
    missed: int
    requests: int
    replies: int
    flaps: int
    held_for_s: float
    is_draining: bool
    is_broken: bool
    epoch: int


@dataclass(frozen=True)
class GroupReport:
    """since_s: for how long the active member has been it. switches: since the start."""

    name: str
    policy: str
    active: PublicKey
    since_s: float
    switches: int
    members: tuple[MemberReport, ...]


@dataclass(frozen=True)
class SpokeReport:
    """On a hub. via: None is direct. reason: as in ``ha.hub_routes.RouteReason``."""

    key: PublicKey
    is_heard: bool
    hears_us: bool
    via: PublicKey | None
    reason: str


@dataclass(frozen=True)
class GatewayReport:
    """is_well: it is heard and hears us, which a hub that has just started believes of all."""

    key: PublicKey
    is_heard: bool
    hears_us: bool
    is_well: bool


@dataclass(frozen=True)
class SiteReport:
    """On a hub. gateway: in use, or used last. via: None is directly. reason: as in ``ha.site_routes.SiteReason``.

    since_s: for how long packets have gone where they go. switches: since the start.
    """

    name: str
    gateway: PublicKey
    via: PublicKey | None
    reason: str
    since_s: float
    switches: int
    gateways: tuple[GatewayReport, ...]
