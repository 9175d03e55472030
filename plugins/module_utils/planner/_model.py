# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the planner is asked, and what it makes of it once every value is checked."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ._failover import Heartbeat, Policy
from ._networks import Address, Network

Role = Literal["hub", "spoke"]

FLEET_VARIABLES = (
    "overlay_prefixes",
    "regions",
    "site_supernets",
    "preshared_keys",
    "heartbeat",
    "heartbeat_port",
    "cluster_port",
)
HOST_VARIABLES = (
    "addresses",
    "agent",
    "endpoint",
    "failover_hold",
    "failover_policy",
    "keepalive",
    "mtu",
    "platform",
    "port",
    "public_key",
    "region",
    "site_prefixes",
    "site_priority",
    "tunnel",
    "weight",
)
PLATFORMS = ("linux", "windows")
DEFAULT_PLATFORM = "linux"
DEFAULT_TUNNEL = "wf0"
DEFAULT_PORT = 51820
DEFAULT_MTU_BYTES = 1420
DEFAULT_KEEPALIVE_S = 25
DEFAULT_WEIGHT = 100
DEFAULT_SITE_PRIORITY = 100
DEFAULT_REGION = "default"


@dataclass(frozen=True)
class PlanRequest:
    """Everything that a plan depends on, as the inventory says it, not yet checked.

    variables: per host, the ``wirefleet_*`` variables as plain values. options: ``tunnel overlay_prefixes port mtu
    keepalive regions site_supernets preshared_keys``; None or a missing one means "see the variables".
    public_keys: by host.
    """

    hubs: Sequence[str]
    spokes: Sequence[str]
    variables: Mapping[str, Mapping[str, object]]
    options: Mapping[str, object] = field(default_factory=dict)
    public_keys: Mapping[str, object] = field(default_factory=dict)
    allow_degraded: bool = False
    renumber: bool = False
    release_removed: Sequence[str] = ()


@dataclass(frozen=True)
class Endpoint:
    """Where a host is reached. address is None for a DNS name."""

    host: str
    port: int
    address: Address | None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Host:
    """One host of the fleet, checked on its own. has_agent: False for a plain WireGuard peer; it cannot fail over."""

    name: str
    role: Role
    region: str
    endpoint: Endpoint | None
    site_prefixes: tuple[Network, ...]
    weight: int
    fixed_addresses: tuple[Address, ...]
    tunnel: str
    port: int
    mtu_bytes: int
    keepalive_s: int
    public_key: str | None
    has_agent: bool
    policy: Policy
    hold_s: int
    site_priority: int

    @property
    def is_forwarding(self) -> bool:
        """Hubs forward between spokes; a host with a LAN behind it forwards to the LAN."""
        return self.role == "hub" or bool(self.site_prefixes)


@dataclass(frozen=True)
class Site:
    """A redundant site: prefixes that the same hosts, all of one role, have behind them.

    name: one that agents take for a group. gateways: two or more names, best first.
    """

    name: str
    role: Role
    gateways: tuple[str, ...]
    prefixes: tuple[Network, ...]


@dataclass(frozen=True)
class Fleet:
    """All hosts (hubs first, in natural order) and what they have in common. sites: the redundant ones."""

    hosts: Mapping[str, Host]
    overlay: tuple[Network, ...]
    regions: tuple[str, ...]
    site_supernets: tuple[Network, ...]
    has_preshared_keys: bool
    heartbeat: Heartbeat
    heartbeat_port: int
    cluster_port: int
    sites: tuple[Site, ...]

    @functools.cached_property
    def hubs(self) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts.values() if host.role == "hub")

    @functools.cached_property
    def spokes(self) -> tuple[Host, ...]:
        return tuple(host for host in self.hosts.values() if host.role == "spoke")
