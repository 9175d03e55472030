# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The vocabulary of change: one small immutable value per thing that can be done to a running tunnel.

``plan_changes`` and the UAPI parser speak it, ``control.apply.Applier`` understands it. A change is idempotent:
it says what shall be, not what to flip. ``op`` and ``target`` describe it to people; neither ever holds a secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..keys import PresharedKey, PrivateKey, PublicKey
from ..wire.endpoint import Endpoint
from .metrics_options import MetricsOptions
from .model import GroupPolicy, HeartbeatConfig, HostPort, InterfaceAddress, LogLevel, Prefix, Role, Route


@dataclass(frozen=True, slots=True)
class SetPrivateKey:
    """None: the tunnel has no key and cannot make a session."""

    key: PrivateKey | None
    op: ClassVar[str] = "set_private_key"

    @property
    def target(self) -> str:
        return "interface"


@dataclass(frozen=True, slots=True)
class SetListenPort:
    """0: any free port."""

    port: int
    op: ClassVar[str] = "set_listen_port"

    @property
    def target(self) -> str:
        return str(self.port)


@dataclass(frozen=True, slots=True)
class SetFwmark:
    """0: no mark."""

    mark: int
    op: ClassVar[str] = "set_fwmark"

    @property
    def target(self) -> str:
        return f"{self.mark:#x}"


@dataclass(frozen=True, slots=True)
class _PeerChange:
    public_key: PublicKey

    @property
    def target(self) -> str:
        return str(self.public_key)


@dataclass(frozen=True, slots=True)
class AddPeer(_PeerChange):
    op: ClassVar[str] = "add_peer"


@dataclass(frozen=True, slots=True)
class RemovePeer(_PeerChange):
    op: ClassVar[str] = "remove_peer"


@dataclass(frozen=True, slots=True)
class SetPresharedKey(_PeerChange):
    key: PresharedKey | None
    op: ClassVar[str] = "set_preshared_key"


@dataclass(frozen=True, slots=True)
class SetEndpoint(_PeerChange):
    """endpoint: numeric (Endpoint), a DNS name still to be resolved (HostPort), or None: wait to be called."""

    endpoint: Endpoint | HostPort | None
    op: ClassVar[str] = "set_endpoint"


@dataclass(frozen=True, slots=True)
class SetPersistentKeepalive(_PeerChange):
    """0: off."""

    interval_s: int
    op: ClassVar[str] = "set_persistent_keepalive"


@dataclass(frozen=True, slots=True)
class ReplaceAllowedIps(_PeerChange):
    """The peer owns exactly these; a prefix of another peer moves here (checklist 38)."""

    prefixes: tuple[Prefix, ...]
    op: ClassVar[str] = "replace_allowed_ips"


@dataclass(frozen=True, slots=True)
class AddAllowedIp(_PeerChange):
    """A prefix of another peer moves here (checklist 38)."""

    prefix: Prefix
    op: ClassVar[str] = "add_allowed_ip"

    @property
    def target(self) -> str:
        return f"{self.public_key} {self.prefix}"


@dataclass(frozen=True, slots=True)
class RemoveAllowedIp(_PeerChange):
    """Nothing happens if the peer does not own the prefix (checklist 38)."""

    prefix: Prefix
    op: ClassVar[str] = "remove_allowed_ip"

    @property
    def target(self) -> str:
        return f"{self.public_key} {self.prefix}"


@dataclass(frozen=True, slots=True)
class SetGroup:
    """Make a group, or make the one of this name so. direct: the member that the prefixes are of, if there is one.

    active: who is active at first. A group that is there keeps its active member unless ``is_moved``: the configured
    one has changed; likewise its direct member, which may be any of the ``gateways``. renamed_from: the group whose
    place this one takes, and whose active member it keeps likewise.
    """

    name: str
    members: tuple[PublicKey, ...]
    prefixes: tuple[Prefix, ...]
    active: PublicKey
    direct: PublicKey | None = None
    is_moved: bool = False
    renamed_from: str | None = None
    gateways: tuple[PublicKey, ...] = ()
    op: ClassVar[str] = "set_group"

    @property
    def target(self) -> str:
        moved = f", {self.active} active" if self.is_moved else ""
        return f"{self.name}: {', '.join(map(str, self.prefixes))} by {', '.join(map(str, self.members))}{moved}"


@dataclass(frozen=True, slots=True)
class RemoveGroup:
    """Its prefixes have no owner then; an unknown group is no error."""

    name: str
    op: ClassVar[str] = "remove_group"

    @property
    def target(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class AddAddress:
    address: InterfaceAddress
    op: ClassVar[str] = "add_address"

    @property
    def target(self) -> str:
        return str(self.address)


@dataclass(frozen=True, slots=True)
class RemoveAddress:
    address: InterfaceAddress
    op: ClassVar[str] = "remove_address"

    @property
    def target(self) -> str:
        return str(self.address)


@dataclass(frozen=True, slots=True)
class SetMtu:
    mtu_bytes: int
    op: ClassVar[str] = "set_mtu"

    @property
    def target(self) -> str:
        return str(self.mtu_bytes)


@dataclass(frozen=True, slots=True)
class AddRoute:
    route: Route
    op: ClassVar[str] = "add_route"

    @property
    def target(self) -> str:
        return str(self.route)


@dataclass(frozen=True, slots=True)
class RemoveRoute:
    route: Route
    op: ClassVar[str] = "remove_route"

    @property
    def target(self) -> str:
        return str(self.route)


@dataclass(frozen=True, slots=True)
class SetForwarding:
    is_on: bool
    op: ClassVar[str] = "set_forwarding"

    @property
    def target(self) -> str:
        return "on" if self.is_on else "off"


@dataclass(frozen=True, slots=True)
class SetDns:
    """Empty tuples take the resolver's settings back."""

    servers: tuple[str, ...]
    search: tuple[str, ...]
    op: ClassVar[str] = "set_dns"

    @property
    def target(self) -> str:
        return ", ".join((*self.servers, *self.search)) or "none"


@dataclass(frozen=True, slots=True)
class SetDefaultRouteRules:
    """Policy rules of a tunnel that carries a default route, as wg-quick(8) makes them."""

    fwmark: int
    table: int
    is_on: bool
    op: ClassVar[str] = "set_default_route_rules"

    @property
    def target(self) -> str:
        return f"{'on' if self.is_on else 'off'} fwmark {self.fwmark:#x} table {self.table}"


@dataclass(frozen=True, slots=True)
class SetUp:
    is_up: bool
    op: ClassVar[str] = "set_up"

    @property
    def target(self) -> str:
        return "up" if self.is_up else "down"


@dataclass(frozen=True, slots=True)
class SetLogLevel:
    level: LogLevel
    op: ClassVar[str] = "set_log_level"

    @property
    def target(self) -> str:
        return self.level


@dataclass(frozen=True, slots=True)
class SetHostLabels:
    """What the host is called in reports; touches no packet."""

    host: str | None
    role: Role | None
    op: ClassVar[str] = "set_host_labels"

    @property
    def target(self) -> str:
        return f"{self.host or '-'} ({self.role or 'no role'})"


@dataclass(frozen=True, slots=True)
class SetMetrics:
    """Where metrics are served; touches no packet. None: nowhere."""

    options: MetricsOptions | None
    op: ClassVar[str] = "set_metrics"

    @property
    def target(self) -> str:
        options = self.options
        return "off" if options is None else f"{' and '.join(options.listen)} port {options.port}"


@dataclass(frozen=True, slots=True)
class SetPeerName(_PeerChange):
    """What a peer is called in reports; touches no packet."""

    name: str | None
    op: ClassVar[str] = "set_peer_name"

    @property
    def target(self) -> str:
        return f"{self.public_key} {self.name or '-'}"


@dataclass(frozen=True, slots=True)
class SetHeartbeat:
    """None: no heartbeats are sent. Like the labels, nothing that the device knows."""

    heartbeat: HeartbeatConfig | None
    op: ClassVar[str] = "set_heartbeat"

    @property
    def target(self) -> str:
        beat = self.heartbeat
        return "off" if beat is None else f"port {beat.port}, every {beat.interval_ms} ms, {beat.misses} misses"


@dataclass(frozen=True, slots=True)
class SetGroupPolicy:
    """When a group's active member is changed; nothing that the device knows."""

    name: str
    policy: GroupPolicy
    hold_s: int
    op: ClassVar[str] = "set_group_policy"

    @property
    def target(self) -> str:
        return f"{self.name}: {self.policy}, hold {self.hold_s} s"


DeviceChange = (
    SetPrivateKey
    | AddPeer
    | RemovePeer
    | SetPresharedKey
    | SetEndpoint
    | SetPersistentKeepalive
    | ReplaceAllowedIps
    | AddAllowedIp
    | RemoveAllowedIp
    | SetGroup
    | RemoveGroup
)
SocketChange = SetListenPort | SetFwmark
HostChange = (
    AddAddress | RemoveAddress | SetMtu | AddRoute | RemoveRoute | SetForwarding | SetDns | SetDefaultRouteRules | SetUp
)
LabelChange = SetLogLevel | SetHostLabels | SetMetrics | SetPeerName | SetHeartbeat | SetGroupPolicy
Change = DeviceChange | SocketChange | HostChange | LabelChange
