# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""TunnelConfig x TunnelConfig -> the ordered, minimal list of changes between them.

The order, and why:

1. Policy rules and routes that go, go first: nothing is sent to a peer that is about to leave (checklist 39).
2. Key, port and mark: new peers are met with the new ones.
3. New peers, whole; then settings of peers that stay, each alone: a peer without a change is not mentioned.
4. Groups, which need their members; then the allowed IPs of peers alone: a prefix may leave a group for one of them.
   They are added before others are removed and before peers go: a prefix that moves from peer to peer changes its
   owner in one step, is owned by nobody at no time, and no session is touched.
5. The interface: addresses, MTU, up; then the routes and rules that come; then resolver, forwarding and labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..keys import PublicKey
from ..wire.endpoint import Endpoint
from . import changes as c
from .model import AgentOptions, HostPort, InterfaceAddress, InterfaceConfig, PeerConfig, Prefix, Route, TunnelConfig
from .ownership import Ownership, OwningGroup, ownership
from .routing import default_route_rules, effective_fwmark, planned_routes

_Peers = Mapping[PublicKey, PeerConfig]


def plan_changes(
    old: TunnelConfig | None,
    new: TunnelConfig | None,
    *,
    routed: TunnelConfig | None = None,
    owned: Ownership | None = None,
) -> tuple[c.Change, ...]:
    """What leads from ``old`` to ``new``. None: there is no tunnel (yet, or any more).

    routed: the configuration whose routes the host has, if ``old`` is not it because others changed the live peers.
    owned: who owns the prefixes, if that is not what ``old`` says for the same reason.
    A numeric endpoint is planned as Endpoint, a name as HostPort: resolving is the engine's. Taking a tunnel down
    leaves the host's forwarding as it is: others may need it.
    """
    before = old or TunnelConfig(new.name if new else "")
    after = new or TunnelConfig(before.name)
    had, needs = _Routing.of(routed or before), _Routing.of(after)
    return (
        *_going_routes(had, needs),
        *(_interface_keys(before, after, had, needs) if new else ()),
        *_peer_changes(before, after, owned or ownership(before)),
        *_addresses(before, after),
        *_link(old, new),
        *_coming_routes(had, needs, is_disturbed=any(gone.version == 4 for gone in _gone_addresses(before, after))),
        *_resolver(before.interface, after.interface),
        *_options(before.options, after.options if new else before.options),
        *(_names(before, after) if new else ()),
    )


@dataclass(frozen=True)
class _Routing:
    """What a configuration needs of the host's routing; computed once, it costs a look at every prefix."""

    rules: int | None
    fwmark: int
    routes: set[Route]

    @classmethod
    def of(cls, config: TunnelConfig) -> _Routing:
        return cls(default_route_rules(config), effective_fwmark(config), planned_routes(config))


def numeric_endpoint(endpoint: HostPort) -> Endpoint | HostPort:
    """The Endpoint if no resolver is needed; names, and scopes that are names, stay as they are."""
    try:
        return Endpoint.parse(str(endpoint))
    except ValueError:
        return endpoint


def _route_order(route: Route) -> tuple[int, int, int, int]:
    prefix = route.prefix
    return (route.table or 0, prefix.version, int(prefix.network_address), prefix.prefixlen)


def _going_routes(had: _Routing, needs: _Routing) -> Iterator[c.Change]:
    if had.rules != needs.rules and had.rules is not None:
        yield c.SetDefaultRouteRules(had.rules, had.rules, is_on=False)
    for route in sorted(had.routes - needs.routes, key=_route_order):
        yield c.RemoveRoute(route)


def _coming_routes(had: _Routing, needs: _Routing, *, is_disturbed: bool) -> Iterator[c.Change]:
    """is_disturbed: an IPv4 address goes. Linux forgets every IPv4 route of an interface with its last IPv4 address,
    so they are all planned again (whoever applies it leaves out what is there)."""
    kept = {route for route in had.routes if route.prefix.version == 6} if is_disturbed else had.routes
    for route in sorted(needs.routes - kept, key=_route_order):
        yield c.AddRoute(route)
    if had.rules != needs.rules and needs.rules is not None:
        yield c.SetDefaultRouteRules(needs.rules, needs.rules, is_on=True)


def _interface_keys(before: TunnelConfig, after: TunnelConfig, had: _Routing, needs: _Routing) -> Iterator[c.Change]:
    if before.interface.private_key != after.interface.private_key:
        yield c.SetPrivateKey(after.interface.private_key)
    if before.interface.listen_port != after.interface.listen_port:
        yield c.SetListenPort(after.interface.listen_port)
    if had.fwmark != needs.fwmark:
        yield c.SetFwmark(needs.fwmark)


def _peer_changes(before: TunnelConfig, after: TunnelConfig, owned: Ownership) -> Iterator[c.Change]:
    was: _Peers = {peer.public_key: peer for peer in before.peers}
    will: _Peers = {peer.public_key: peer for peer in after.peers}
    yield from (c.AddPeer(key) for key in will if key not in was)
    for key, peer in will.items():
        yield from _peer_settings(was.get(key) or PeerConfig(key), peer)
    wanted = ownership(after)
    yield from _groups(owned.groups, wanted.groups)
    yield from _allowed_ips(owned, wanted)
    yield from (c.RemovePeer(key) for key in was if key not in will)


def _peer_settings(was: PeerConfig, will: PeerConfig) -> Iterator[c.Change]:
    key = will.public_key
    if was.preshared_key != will.preshared_key:
        yield c.SetPresharedKey(key, will.preshared_key)
    if was.endpoint != will.endpoint:
        yield c.SetEndpoint(key, None if will.endpoint is None else numeric_endpoint(will.endpoint))
    if was.persistent_keepalive_s != will.persistent_keepalive_s:
        yield c.SetPersistentKeepalive(key, will.persistent_keepalive_s)


def _groups(was: Mapping[str, OwningGroup], will: Mapping[str, OwningGroup]) -> Iterator[c.Change]:
    gone = {name: group for name, group in was.items() if name not in will}
    new = {name: _renamed_from(group, gone.values()) for name, group in will.items() if gone and name not in was}
    renamed = set(new.values())
    yield from (c.RemoveGroup(name) for name in gone if name not in renamed)
    for name, group in will.items():
        former = new.get(name)
        before = was.get(former or name)
        if before != group:
            is_moved = before is not None and before.start != group.start
            yield c.SetGroup(
                name, group.members, group.prefixes, group.start, group.direct, is_moved, former, group.gateways
            )
    yield from (c.RemoveGroup(name) for name in gone if name in renamed)


def _renamed_from(group: OwningGroup, gone: Iterable[OwningGroup]) -> str | None:
    """The group that ends while this one gets prefixes of it and has members of it: its traffic need not move."""
    if group.is_spokes:
        return None
    prefixes, members = set(group.prefixes), set(group.members)
    for each in gone:
        if not each.is_spokes and not prefixes.isdisjoint(each.prefixes) and not members.isdisjoint(each.members):
            return each.name
    return None


def _allowed_ips(was: Ownership, will: Ownership) -> Iterator[c.Change]:
    """What peers own by themselves."""
    lost: list[tuple[PublicKey, Prefix]] = []
    for key, prefixes in will.peers.items():
        before = was.peers.get(key)
        if before is None:
            if prefixes:
                yield c.ReplaceAllowedIps(key, prefixes)
        elif before != prefixes:
            had, has = set(before), set(prefixes)
            yield from (c.AddAllowedIp(key, prefix) for prefix in prefixes if prefix not in had)
            lost.extend((key, prefix) for prefix in before if prefix not in has)
    if lost:
        owned = {prefix for prefixes in will.peers.values() for prefix in prefixes}
        owned.update(prefix for group in will.groups.values() for prefix in group.prefixes)
        yield from (c.RemoveAllowedIp(key, prefix) for key, prefix in lost if prefix not in owned)


def _gone_addresses(before: TunnelConfig, after: TunnelConfig) -> list[InterfaceAddress]:
    stays = set(after.interface.addresses)
    return [address for address in before.interface.addresses if address not in stays]


def _addresses(before: TunnelConfig, after: TunnelConfig) -> Iterator[c.Change]:
    """Removed first: on Linux an address that is removed takes later ones of its network with it, so those of the
    same network that stay are planned again (whoever applies it leaves out what is there)."""
    gone = _gone_addresses(before, after)
    disturbed = {address.network for address in gone}
    had = set(before.interface.addresses)
    yield from (c.RemoveAddress(address) for address in gone)
    for address in after.interface.addresses:
        if address not in had or address.network in disturbed:
            yield c.AddAddress(address)


def _link(old: TunnelConfig | None, new: TunnelConfig | None) -> Iterator[c.Change]:
    """A new interface has the platform's MTU, whatever that is: it is always set."""
    if new is not None and (old is None or old.interface.mtu_bytes != new.interface.mtu_bytes):
        yield c.SetMtu(new.interface.mtu_bytes)
    if (old is None) != (new is None):
        yield c.SetUp(new is not None)


def _resolver(before: InterfaceConfig, after: InterfaceConfig) -> Iterator[c.Change]:
    if (before.dns_servers, before.dns_search) != (after.dns_servers, after.dns_search):
        yield c.SetDns(after.dns_servers, after.dns_search)


def _options(before: AgentOptions, after: AgentOptions) -> Iterator[c.Change]:
    if before.is_forwarding != after.is_forwarding:
        yield c.SetForwarding(after.is_forwarding)
    if before.log_level != after.log_level:
        yield c.SetLogLevel(after.log_level)
    if (before.host, before.role) != (after.host, after.role):
        yield c.SetHostLabels(after.host, after.role)
    if before.metrics != after.metrics:
        yield c.SetMetrics(after.metrics)
    if before.heartbeat != after.heartbeat:
        yield c.SetHeartbeat(after.heartbeat)
    policies = {group.name: (group.policy, group.hold_s) for group in before.groups}
    for group in after.groups:
        if policies.get(group.name) != (group.policy, group.hold_s):
            yield c.SetGroupPolicy(group.name, group.policy, group.hold_s)


def _names(before: TunnelConfig, after: TunnelConfig) -> Iterator[c.Change]:
    names = {peer.public_key: peer.name for peer in before.peers}
    for peer in after.peers:
        if names.get(peer.public_key) != peer.name:
            yield c.SetPeerName(peer.public_key, peer.name)
