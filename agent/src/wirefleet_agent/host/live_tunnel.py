# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The daemon's one running tunnel: made, changed and taken down, always to match a configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from ..config import (
    HostPort,
    Ownership,
    OwningGroup,
    PeerConfig,
    Prefix,
    TunnelConfig,
    numeric_endpoint,
    ownership,
    plan_changes,
    planned_routes,
    without_peers,
)
from ..config.changes import AddAddress, AddRoute, Change, SetEndpoint, SetListenPort
from ..control import Applied, Applier
from ..core import Device, Group, Peer
from ..drivers.interfaces import HeartbeatDriver
from ..engine import Loop, Resolver, Tunnel, making_peers
from ..errors import WireFleetError
from ..keys import PublicKey
from ..observe import Logger
from ..wire.endpoint import Endpoint
from .proofs import Proofs


@dataclass(frozen=True)
class InterfaceSpec:
    """What must be known before the interface exists. name: the tunnel's."""

    name: str
    mtu_bytes: int


@dataclass(frozen=True)
class OpenTunnel:
    """A tunnel that exists. close: takes the interface and its UAPI socket down; idempotent."""

    tunnel: Tunnel
    applier: Applier
    heartbeats: HeartbeatDriver
    close: Callable[[], None]


class TunnelOpener(Protocol):
    def __call__(self, spec: InterfaceSpec) -> OpenTunnel:
        """Make the interface and its sockets, and start it. Raises DriverError; nothing is left then."""


class LiveTunnel:
    """Owns at most one open tunnel. Peers that a change does not concern keep their sessions.

    on_settled: the tunnel is as configured now. on_closing: it will go, or has gone.
    config: what runs; wanted: what was asked for, with the peers that are refused. before_switch: may set ``refused``.
    after_switch: called when the tunnel is as wanted, or (None) gone.
    """

    def __init__(self, open_tunnel: TunnelOpener, resolver: Resolver, loop: Loop, logger: Logger) -> None:
        self._open_tunnel = open_tunnel
        self._resolver = resolver
        self._loop = loop
        self._logger = logger
        self._open: OpenTunnel | None = None
        self.config: TunnelConfig | None = None
        self._proofs = Proofs()
        self.on_removed: Callable[[], None] = lambda: None
        self.on_settled: Callable[[OpenTunnel, TunnelConfig], None] = lambda _opened, _config: None
        self.on_closing: Callable[[], None] = lambda: None
        self.wanted: TunnelConfig | None = None
        self.refused: frozenset[PublicKey] = frozenset()
        self.before_switch: Callable[[TunnelConfig], None] = lambda _config: None
        self.after_switch: Callable[[TunnelConfig | None], None] = lambda _config: None

    @property
    def tunnel(self) -> Tunnel | None:
        """For reports; None while there is no interface."""
        return self._open.tunnel if self._open else None

    def switch_to(self, new: TunnelConfig | None) -> None:
        """Make the tunnel what ``new`` says; None takes it down. On RefusedError and DriverError it is as before.

        What others changed meanwhile is put right as well: peers, keys and port (``wg set``), addresses and routes that
        went with the link. Not endpoints: those roam.
        """
        if new is None:
            self.close()
            return
        self.before_switch(new)
        allowed = without_peers(new, self.refused)
        with making_peers(sum(1 + len(peer.allowed_ips) for peer in new.peers)):
            if self._open is None:
                self._start(allowed)
            else:
                self._change(self._open, allowed)
        self.wanted = new
        self.after_switch(new)

    def refuse(self, keys: frozenset[PublicKey]) -> None:
        """From now on these peers are not there, whatever the configuration says; those that were come back.

        Raises RefusedError, DriverError if routes could not follow; the peers themselves are gone then too.
        """
        if keys == self.refused:
            return
        self.refused = keys
        if self._open is None or self.wanted is None:
            return
        tunnel = self._open.tunnel
        for key in keys & tunnel.device.peers.keys():  # at once: to plan all of a hub's peers takes a moment
            tunnel.device.remove_peer(key, self._loop.now())
        tunnel.flush()
        self.switch_to(self.wanted)

    @property
    def refused_peers(self) -> list[str]:
        """Peers of the configuration that are not there because they are refused."""
        peers = self.wanted.peers if self.wanted is not None else ()
        return [str(peer.public_key) for peer in peers if peer.public_key in self.refused]

    def is_proven(self, peer: Peer) -> bool:
        """Whether the peer has answered since the last change that concerned it; sessions outlive such changes."""
        return self._proofs.is_proven(peer)

    def call(self, public_keys: Iterable[PublicKey]) -> None:
        """Start handshakes with peers that have an endpoint, there where they have to answer; sessions go on."""
        if self._open is None:
            return
        tunnel = self._open.tunnel
        for public_key in public_keys:
            peer = tunnel.device.peers.get(public_key)
            if peer is None:
                continue
            endpoint = self._proofs.endpoint_to_prove(peer)
            if endpoint not in (None, peer.endpoint):
                tunnel.device.set_endpoint(peer, endpoint, self._loop.now())
            tunnel.device.start_handshake(peer, self._loop.now())
        tunnel.flush()

    def reconnect(self, public_key: PublicKey) -> None:
        """A peer does not answer: a handshake, there where it is configured to be, its name asked for once more."""
        if self._open is None or self.config is None:
            return
        device, now = self._open.tunnel.device, self._loop.now()
        peer = device.peers.get(public_key)
        name = next((each.endpoint for each in self.config.peers if each.public_key == public_key), None)
        if peer is None or name is None:
            return
        endpoint = numeric_endpoint(name)
        if isinstance(endpoint, HostPort):
            self._resolver.resolve_again(public_key)
        elif endpoint != peer.endpoint:
            device.set_endpoint(peer, endpoint, now)
        device.start_handshake(peer, now)
        self._open.tunnel.flush()

    def start_over(self) -> None:
        """New sockets and handshakes now: after a sleep nothing that was known of the underlay counts any more."""
        if self._open is None:
            return
        tunnel = self._open.tunnel
        tunnel.rebind()
        self.call(key for key, peer in tunnel.device.peers.items() if peer.endpoint is not None)

    def close(self) -> None:
        """Routes, addresses and rules first, then the interface. Idempotent; an error is logged, the rest goes on."""
        opened, config = self._open, self.config
        if opened is not None:
            self.on_closing()
        self._open = self.config = self.wanted = None
        self.after_switch(None)
        self._proofs.clear()
        self._resolver.clear()
        if opened is None:
            return
        opened.tunnel.on_removed = None
        device = opened.tunnel.device
        for change in plan_changes(_as_it_is(config, device), None, routed=config, owned=_owned(config, device)):
            # One by one: a step that fails must not bring the others back.
            try:
                opened.applier.apply((change,), self._loop.now())
            except WireFleetError as error:
                self._logger.warning("cleanup_step_failed", op=change.op, target=change.target, error=str(error))
        opened.close()
        self._logger.info("tunnel_closed", name=opened.tunnel.name)

    def _start(self, new: TunnelConfig) -> None:
        opened = self._open_tunnel(InterfaceSpec(new.name, new.interface.mtu_bytes))
        try:
            applied = opened.applier.apply(plan_changes(None, new), self._loop.now())
        except BaseException:  # also a mistake of ours: an interface that nobody knows would be in the way for ever
            opened.close()
            raise
        self._open, self.config = opened, new
        opened.tunnel.on_removed = self._removed
        opened.tunnel.on_unreachable = lambda peer: self._resolver.resolve_again(peer.public_key)
        self._settle(opened, applied, new)
        self._logger.info("tunnel_opened", name=new.name, peers=len(new.peers))

    def _change(self, opened: OpenTunnel, new: TunnelConfig) -> None:
        device = opened.tunnel.device
        old, owned = _as_it_is(self.config, device), _owned(self.config, device)
        changes = (
            *plan_changes(old, new, routed=self.config, owned=owned),
            *(_host_side(new) if opened.tunnel.is_up else ()),
        )
        applied = opened.applier.apply(changes, self._loop.now())
        self.config = new
        concerned = self._proofs.note(changes, applied, opened.tunnel.device.peers, self._loop.now())
        self._settle(opened, applied, new)
        # Those without an endpoint call us: ten thousand spokes make one handshake each, not their hub all of them.
        self.call(peer.public_key for peer in new.peers if peer.endpoint is not None and peer.public_key in concerned)
        if applied.changes:
            self._logger.info("tunnel_changed", name=new.name, changes=[change.op for change in applied.changes])

    def _settle(self, opened: OpenTunnel, applied: Applied, new: TunnelConfig) -> None:
        """Send what the changes made the device say, and keep resolving the endpoints that are names."""
        opened.tunnel.flush()
        names = {
            peer.public_key: peer.endpoint
            for peer in new.peers
            if peer.endpoint is not None and isinstance(numeric_endpoint(peer.endpoint), HostPort)
        }
        again = {change.public_key for change in applied.unresolved}
        self._resolver.watch(names, again, self._resolved)
        self.on_settled(opened, new)

    def _resolved(self, public_key: PublicKey, endpoint: Endpoint) -> None:
        if self._open is None or public_key not in self._open.tunnel.device.peers:
            return
        now = self._loop.now()
        applied = self._open.applier.apply((SetEndpoint(public_key, endpoint),), now)
        self._open.tunnel.flush()
        if self._proofs.note_resolved(public_key, endpoint, now, is_new=bool(applied.changes)):
            self.call((public_key,))
        self._logger.info("endpoint_resolved", peer=str(public_key), endpoint=str(endpoint))

    def _removed(self) -> None:
        """Somebody deleted the interface: there is nothing left to clean up but our own side of it."""
        self._logger.warning("interface_removed", name=self._open.tunnel.name if self._open else None)
        self.on_closing()
        if self._open is not None:
            self._open.close()
        self._open = self.config = None
        self._proofs.clear()
        self._resolver.clear()
        self.on_removed()


def _host_side(config: TunnelConfig) -> Iterator[Change]:
    """Port, addresses and routes, as if all were missing: what is there is left alone when they are applied."""
    if config.interface.listen_port:
        yield SetListenPort(config.interface.listen_port)
    yield from (AddAddress(address) for address in config.interface.addresses)
    yield from (AddRoute(route) for route in planned_routes(config))


def _as_it_is(config: TunnelConfig | None, device: Device) -> TunnelConfig | None:
    """``config`` with the peers and keys that the device really has."""
    if config is None:
        return None
    configured = {peer.public_key: peer for peer in config.peers}
    peers = tuple(
        replace(
            configured.get(peer.public_key, PeerConfig(peer.public_key)),
            preshared_key=peer.preshared_key,
            allowed_ips=peer.allowed_ips,
            persistent_keepalive_s=peer.persistent_keepalive_s,
        )
        for peer in device.peers.values()
    )
    return replace(config, interface=replace(config.interface, private_key=device.private_key), peers=peers)


def _owned(config: TunnelConfig | None, device: Device) -> Ownership | None:
    """Who really owns the prefixes. Who starts active is known to the configuration alone."""
    if config is None:
        return None
    wanted = ownership(config).groups
    groups = {name: _owning(group, wanted.get(name)) for name, group in device.groups.items()}
    return Ownership({peer.public_key: peer.allowed_ips for peer in device.peers.values()}, groups)


def _owning(group: Group, wanted: OwningGroup | None) -> OwningGroup:
    return OwningGroup(
        group.name,
        tuple(peer.public_key for peer in group.members),
        _in_order(group.prefixes, () if wanted is None else wanted.prefixes),
        group.active.public_key if wanted is None else wanted.start,
        None if group.direct is None else group.direct.public_key,
        tuple(peer.public_key for peer in group.gateways),
    )


def _in_order(prefixes: tuple[Prefix, ...], wanted: tuple[Prefix, ...]) -> tuple[Prefix, ...]:
    """As ``wanted`` if it is these: their order says nothing."""
    return wanted if set(prefixes) == set(wanted) else prefixes
