# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""``<tunnel>.conf`` and ``<tunnel>.toml`` -> TunnelConfig; TunnelConfig x TunnelConfig -> ordered changes. No IO."""

from .metrics_options import DEFAULT_METRICS_PORT, MetricsOptions
from .model import (
    DEFAULT_MTU_BYTES,
    AgentOptions,
    GroupConfig,
    GroupPolicy,
    HeartbeatConfig,
    HostPort,
    InterfaceAddress,
    InterfaceConfig,
    LogLevel,
    PeerConfig,
    Prefix,
    RelaysConfig,
    Role,
    Route,
    SiteConfig,
    Table,
    TunnelConfig,
)
from .names import is_tunnel_name
from .ownership import Ownership, OwningGroup, grouped_prefixes, heartbeat_addresses, ownership
from .parsing import MAX_TEXT_CHARACTERS, parse, with_secrets
from .planning import numeric_endpoint, plan_changes
from .problems import ConfigErrors, ValueProblem
from .refusal import without_peers
from .rendering import REDACTED, redact_conf, render, render_redacted, render_toml
from .routing import default_route_rules, effective_fwmark, needed_routes, planned_routes
from .toml_cluster import ClusterMember, ClusterOptions
from .values import parse_prefix

__all__ = [
    "DEFAULT_METRICS_PORT",
    "DEFAULT_MTU_BYTES",
    "MAX_TEXT_CHARACTERS",
    "REDACTED",
    "AgentOptions",
    "ClusterMember",
    "ClusterOptions",
    "ConfigErrors",
    "GroupConfig",
    "GroupPolicy",
    "HeartbeatConfig",
    "HostPort",
    "InterfaceAddress",
    "InterfaceConfig",
    "LogLevel",
    "MetricsOptions",
    "Ownership",
    "OwningGroup",
    "PeerConfig",
    "Prefix",
    "RelaysConfig",
    "Role",
    "Route",
    "SiteConfig",
    "Table",
    "TunnelConfig",
    "ValueProblem",
    "default_route_rules",
    "effective_fwmark",
    "grouped_prefixes",
    "heartbeat_addresses",
    "is_tunnel_name",
    "needed_routes",
    "numeric_endpoint",
    "ownership",
    "parse",
    "parse_prefix",
    "plan_changes",
    "planned_routes",
    "redact_conf",
    "render",
    "render_redacted",
    "render_toml",
    "with_secrets",
    "without_peers",
]
