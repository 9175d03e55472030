# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A tunnel's configuration as plain, immutable values, already validated."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Literal

from ..keys import PresharedKey, PrivateKey, PublicKey
from .metrics_options import MetricsOptions
from .toml_cluster import ClusterOptions

Prefix = ipaddress.IPv4Network | ipaddress.IPv6Network
InterfaceAddress = ipaddress.IPv4Interface | ipaddress.IPv6Interface
Table = int | Literal["auto", "off"]
LogLevel = Literal["debug", "info", "warning", "error"]
Role = Literal["hub", "spoke"]
GroupPolicy = Literal["active_standby", "priority_preempt"]

DEFAULT_MTU_BYTES = 1420


@dataclass(frozen=True)
class Route:
    """A route to ``prefix`` through the tunnel. table: a routing table's number, None for the main one."""

    prefix: Prefix
    table: int | None = None

    def __str__(self) -> str:
        return str(self.prefix) if self.table is None else f"{self.prefix} table {self.table}"


@dataclass(frozen=True)
class HostPort:
    """An endpoint as written: host is a numeric address or a DNS name, not yet resolved."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class PeerConfig:
    """One ``[Peer]`` section. persistent_keepalive_s: 0 is off. name: from the .toml file, for people only."""

    public_key: PublicKey
    preshared_key: PresharedKey | None = None
    endpoint: HostPort | None = None
    allowed_ips: tuple[Prefix, ...] = ()
    persistent_keepalive_s: int = 0
    name: str | None = None


@dataclass(frozen=True)
class InterfaceConfig:
    """The ``[Interface]`` section. private_key None: the key lies in the host's key store. listen_port 0: any."""

    private_key: PrivateKey | None = None
    listen_port: int = 0
    fwmark: int = 0
    addresses: tuple[InterfaceAddress, ...] = ()
    mtu_bytes: int = DEFAULT_MTU_BYTES
    table: Table = "auto"
    dns_servers: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()


@dataclass(frozen=True)
class HeartbeatConfig:
    """The ``[heartbeat]`` section. port: UDP, on overlay addresses. A peer is down after ``misses`` intervals."""

    port: int = 51821
    interval_ms: int = 500
    misses: int = 3


@dataclass(frozen=True)
class GroupConfig:
    """One ``[[groups]]``: members, best first, that own ``allowed_ips`` together.

    In the .conf the prefixes are those of the member that starts active. hold_s: how long a better member must be
    well before it is taken back (priority_preempt).
    """

    name: str
    members: tuple[PublicKey, ...]
    allowed_ips: tuple[Prefix, ...]
    policy: GroupPolicy = "active_standby"
    hold_s: int = 30


@dataclass(frozen=True)
class RelaysConfig:
    """The ``[relays]`` section of a hub. members: the other hubs. fixed: peers that come by this hub alone."""

    members: tuple[PublicKey, ...]
    fixed: tuple[PublicKey, ...] = ()


@dataclass(frozen=True)
class SiteConfig:
    """One ``[[sites]]`` of a hub: members, the gateways of a LAN, best first, and ``allowed_ips``, the LAN's prefixes.

    In the .conf the prefixes are those of the gateway that is used first.
    """

    name: str
    members: tuple[PublicKey, ...]
    allowed_ips: tuple[Prefix, ...]


@dataclass(frozen=True)
class AgentOptions:
    """What ``<tunnel>.toml`` says: everything that WireGuard has no words for. heartbeat None: none are sent.

    local_networks: of the host's own LAN, accepted from peers, but never routed into the tunnel.
    """

    is_forwarding: bool = False
    log_level: LogLevel = "info"
    host: str | None = None
    role: Role | None = None
    metrics: MetricsOptions | None = None
    heartbeat: HeartbeatConfig | None = None
    groups: tuple[GroupConfig, ...] = ()
    sites: tuple[SiteConfig, ...] = ()
    relays: RelaysConfig | None = None
    local_networks: tuple[Prefix, ...] = ()
    cluster: ClusterOptions | None = None


@dataclass(frozen=True)
class TunnelConfig:
    """Both files of one tunnel."""

    name: str
    interface: InterfaceConfig = field(default_factory=InterfaceConfig)
    peers: tuple[PeerConfig, ...] = ()
    options: AgentOptions = field(default_factory=AgentOptions)
