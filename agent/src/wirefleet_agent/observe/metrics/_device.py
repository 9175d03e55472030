# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The tunnel and its peers: sessions, traffic, drops.

Addresses of peers in the underlay are shown only if the operator asked for them: they say where people work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ...core import Device, Peer
from ...drops import DropReason
from ...keys import PublicKey
from .._counters import TunnelCounts
from ._families import Family, Kind, Row, Series

_TUNNEL = ("tunnel",)
_PEER = ("tunnel", "peer")

TUNNEL_INFO = Family(
    "wirefleet_tunnel_info",
    Kind.GAUGE,
    "Always 1; the labels say whose tunnel this is. host and role are empty where the configuration has none.",
    ("tunnel", "public_key", "host", "role"),
)
TUNNEL_UP = Family(
    "wirefleet_tunnel_up", Kind.GAUGE, "1 while the interface is up and the sockets of the underlay are open.", _TUNNEL
)
PEERS = Family("wirefleet_peers", Kind.GAUGE, "Peers of the tunnel.", _TUNNEL)
WARM_PEERS = Family(
    "wirefleet_peers_with_session", Kind.GAUGE, "Peers that a packet could be sent to without a handshake.", _TUNNEL
)
DROPS = Family(
    "wirefleet_dropped_packets_total",
    Kind.COUNTER,
    "Datagrams of the underlay and packets of the host that were dropped; docs/metrics.md explains the reasons.",
    ("tunnel", "reason"),
    "packets",
)
HANDSHAKES = Family(
    "wirefleet_handshakes_total",
    Kind.COUNTER,
    "Handshakes that made a new session, by our part in them (initiator, responder).",
    ("tunnel", "role"),
    "handshakes",
)
GIVEN_UP = Family(
    "wirefleet_handshakes_given_up_total",
    Kind.COUNTER,
    "Peers that did not answer 20 initiations within 90 seconds.",
    _TUNNEL,
    "handshakes",
)
PENDING = Family(
    "wirefleet_handshakes_pending",
    Kind.GAUGE,
    "Handshake messages that wait for their turn, of others and of ours.",
    _TUNNEL,
    "messages",
)
UNDER_LOAD = Family(
    "wirefleet_under_load", Kind.GAUGE, "1 while so many handshakes come that cookies are asked for.", _TUNNEL
)
BIND_FAILURES = Family(
    "wirefleet_underlay_bind_failures_total",
    Kind.COUNTER,
    "Failed attempts to open the sockets of the underlay.",
    _TUNNEL,
    "attempts",
)
RECEIVE_ERRORS = Family(
    "wirefleet_underlay_receive_errors_total",
    Kind.COUNTER,
    "Errors that the sockets of the underlay reported on receiving.",
    _TUNNEL,
    "errors",
)
UNDERLAY_CHANGES = Family(
    "wirefleet_underlay_changes_total",
    Kind.COUNTER,
    "Times that routes or addresses of the host's network changed; a storm of changes counts once.",
    _TUNNEL,
    "changes",
)
PEER_INFO = Family(
    "wirefleet_peer_info",
    Kind.GAUGE,
    "Always 1; name is what the configuration calls the peer, empty if nothing. Join it to the others by peer.",
    ("tunnel", "peer", "name"),
)
PEER_ENDPOINT = Family(
    "wirefleet_peer_endpoint_info",
    Kind.GAUGE,
    "Always 1; where the peer is in the underlay. Only with endpoints = true.",
    ("tunnel", "peer", "endpoint"),
)
RECEIVED_BYTES = Family(
    "wirefleet_peer_received_bytes_total",
    Kind.COUNTER,
    "Authenticated bytes received from the peer, WireGuard's own included, as wg show counts them.",
    _PEER,
    "bytes",
)
SENT_BYTES = Family(
    "wirefleet_peer_sent_bytes_total",
    Kind.COUNTER,
    "Bytes sent to the peer, WireGuard's own included, as wg show counts them.",
    _PEER,
    "bytes",
)
RECEIVED_PACKETS = Family(
    "wirefleet_peer_received_packets_total",
    Kind.COUNTER,
    "Authenticated datagrams received from the peer, handshakes and keepalives included.",
    _PEER,
    "packets",
)
SENT_PACKETS = Family(
    "wirefleet_peer_sent_packets_total",
    Kind.COUNTER,
    "Datagrams sent to the peer, handshakes and keepalives included.",
    _PEER,
    "packets",
)
LAST_HANDSHAKE = Family(
    "wirefleet_peer_last_handshake_timestamp_seconds",
    Kind.GAUGE,
    "When the last handshake was complete, by the host's clock, since 1970; 0 if there was none yet.",
    _PEER,
    "seconds",
)
SESSION_AGE = Family(
    "wirefleet_peer_session_age_seconds",
    Kind.GAUGE,
    "Age of the session that packets are sent with. No series while there is none; renewed at 120.",
    _PEER,
    "seconds",
)
STAGED = Family(
    "wirefleet_peer_staged_packets",
    Kind.GAUGE,
    "Packets of the host that wait for a session with the peer.",
    _PEER,
    "packets",
)


@dataclass(frozen=True)
class TunnelView:
    """One tunnel as it is at this moment. now: the loop's clock. names: of peers that have one."""

    name: str
    device: Device
    counts: TunnelCounts
    receive_errors: int
    now: float
    host: str | None
    role: str | None
    names: Mapping[PublicKey, str]
    is_per_peer: bool
    shows_endpoints: bool


class DeviceMetrics:
    """view: the tunnel, None while there is none."""

    families = (
        TUNNEL_INFO,
        TUNNEL_UP,
        PEERS,
        WARM_PEERS,
        DROPS,
        HANDSHAKES,
        GIVEN_UP,
        PENDING,
        UNDER_LOAD,
        BIND_FAILURES,
        RECEIVE_ERRORS,
        UNDERLAY_CHANGES,
        PEER_INFO,
        PEER_ENDPOINT,
        RECEIVED_BYTES,
        SENT_BYTES,
        RECEIVED_PACKETS,
        SENT_PACKETS,
        LAST_HANDSHAKE,
        SESSION_AGE,
        STAGED,
    )

    def __init__(self, view: Callable[[], TunnelView | None]) -> None:
        self._view = view

    def collect(self) -> Iterator[Series]:
        view = self._view()
        if view is None:
            return
        yield from _tunnel_series(view)
        if view.is_per_peer:
            yield from _peer_series(view)


def _tunnel_series(view: TunnelView) -> Iterator[Series]:
    device, counts, tunnel = view.device, view.counts, (view.name,)
    public_key = "" if device.public_key is None else str(device.public_key)
    yield TUNNEL_INFO, [((view.name, public_key, view.host or "", view.role or ""), 1)]
    yield TUNNEL_UP, [(tunnel, device.is_up)]
    yield PEERS, [(tunnel, len(device.peers))]
    yield WARM_PEERS, [(tunnel, sum(peer.has_session(view.now) for peer in device.peers.values()))]
    yield DROPS, [((view.name, reason.value), device.drops[reason]) for reason in DropReason]
    yield HANDSHAKES, [((view.name, "initiator"), counts.initiated), ((view.name, "responder"), counts.responded)]
    yield GIVEN_UP, [(tunnel, counts.given_up)]
    yield PENDING, [(tunnel, device.pending_handshakes)]
    yield UNDER_LOAD, [(tunnel, device.is_under_load(view.now))]
    yield BIND_FAILURES, [(tunnel, counts.bind_failures)]
    yield RECEIVE_ERRORS, [(tunnel, view.receive_errors)]
    yield UNDERLAY_CHANGES, [(tunnel, counts.underlay_changes)]


def _peer_series(view: TunnelView) -> Iterator[Series]:
    """The peers are those of this moment; the values are those of the moment in which a row is asked for."""
    peers, name, names = tuple(view.device.peers.values()), view.name, view.names

    def each(value: Callable[[Peer], float]) -> Iterator[Row]:
        return (((name, str(peer.public_key)), value(peer)) for peer in peers)

    yield PEER_INFO, (((name, str(peer.public_key), names.get(peer.public_key, "")), 1) for peer in peers)
    if view.shows_endpoints:
        known = (peer for peer in peers if peer.endpoint is not None)
        yield PEER_ENDPOINT, (((name, str(peer.public_key), str(peer.endpoint)), 1) for peer in known)
    yield RECEIVED_BYTES, each(lambda peer: peer.rx_bytes)
    yield SENT_BYTES, each(lambda peer: peer.tx_bytes)
    yield RECEIVED_PACKETS, each(lambda peer: peer.rx_datagrams)
    yield SENT_PACKETS, each(lambda peer: peer.tx_datagrams)
    yield LAST_HANDSHAKE, each(lambda peer: peer.last_handshake_wall[0] + peer.last_handshake_wall[1] / 1e9)
    sessions = ((peer, peer.sessions.current) for peer in peers)
    yield (
        SESSION_AGE,
        (
            ((name, str(peer.public_key)), max(0.0, view.now - session.created_at))
            for peer, session in sessions
            if session is not None
        ),
    )
    yield STAGED, each(lambda peer: peer.staged_packets)
