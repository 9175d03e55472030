# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What a rejected datagram must not change: everything that a device knows about its peers, as one comparable value."""

from __future__ import annotations

from typing import Any

from wirefleet_agent.core import Device, Peer

_TIMERS = (
    "handshake_attempts",
    "is_running",
    "needs_another_keepalive",
    "new_handshake_at",
    "persistent_keepalive_at",
    "retransmit_handshake_at",
    "send_keepalive_at",
    "sent_last_minute_handshake",
    "zero_key_material_at",
)
_PEER = ("endpoint", "local", "rx_bytes", "rx_datagrams", "tx_bytes", "tx_datagrams", "staged_packets")
_LEARNED = ("last_handshake", "last_handshake_wall", "may_initiate_at")
_HANDSHAKE = ("state", "local_index", "_chaining_key", "_hash", "_last_stamp", "_last_consumed_at", "_remote_index")
_SLOTS = ("previous", "current", "next")


def _values(thing: object, names: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(bytes(v) if isinstance(v := getattr(thing, name), bytearray) else v for name in names)


def _window(device: Device, index: int) -> tuple[int, int]:
    lease = device._environment.indices.sessions[index].open_lease
    window = lease.check.__self__  # type: ignore[attr-defined]  # the bound method's window
    return window._highest, window._seen


def _of_peer(device: Device, peer: Peer) -> tuple[Any, ...]:
    slots = [getattr(peer.sessions, slot) for slot in _SLOTS]
    sessions = [s and (s.local_index, s.send_counter, s.created_at, _window(device, s.local_index)) for s in slots]
    return (
        peer.public_key,
        _values(peer, _PEER + _LEARNED),
        _values(peer.timers, _TIMERS),
        _values(peer.handshake, _HANDSHAKE),
        _values(peer.cookies, ("_cookie", "_cookie_set_at", "_last_mac1")),
        tuple(sessions),
    )


def snapshot(device: Device) -> tuple[Any, ...]:
    """Peers, their timers, handshakes, sessions with counters and replay windows; the index table."""
    indices = device._environment.indices
    peers = tuple(_of_peer(device, peer) for peer in device.peers.values())
    return peers, sorted(indices.handshakes), sorted(indices.sessions)
