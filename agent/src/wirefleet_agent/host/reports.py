# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What ``status`` and ``health`` say: plain values, no secrets, nothing changed by looking."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..config import TunnelConfig
from ..core import Device, Group, Peer
from ..engine import Tunnel
from ..errors import DriverError
from ..keys import PublicKey
from ..observe import drop_counts
from .control_protocol import Json
from .requests import HealthRequest


def tunnel_status(tunnel: Tunnel, config: TunnelConfig | None, now: float, is_proven: Callable[[Peer], bool]) -> Json:
    """The live half of ``status``. now: the loop's. is_proven: see ``tunnel_health``."""
    device = tunnel.device
    names = _names(config)
    return {
        "public_key": None if device.public_key is None else str(device.public_key),
        "listen_port": tunnel.listen_port,
        "interface": {
            "name": tunnel.name,
            "mtu_bytes": tunnel.tun.mtu_bytes,
            "is_up": device.is_up,
            "addresses": _addresses(tunnel),
            "forwarding": _forwards(tunnel),
            "offloads": {"tun": list(tunnel.tun.offloads), "udp": list(tunnel.udp.offloads)},
        },
        "peers": [
            _peer_status(device, peer, names, now) | {"is_proven": is_proven(peer)} for peer in device.peers.values()
        ],
        "groups": [_group_status(group, now) for group in device.groups.values()],
        "drops": drop_counts(device.drops),
    }


def tunnel_health(
    tunnel: Tunnel | None,
    config: TunnelConfig | None,
    request: HealthRequest,
    now: float,
    is_proven: Callable[[Peer], bool],
    answers: Mapping[PublicKey, bool],
    has_quorum: bool | None,
) -> Json:
    """``healthy``: each wanted peer has a handshake that is young enough and newer than the last change.

    A peer that is not configured is not ok. is_proven: whether it answered since the last change that concerned it.
    answers: the peers that heartbeats go to, and whether they answer. has_quorum: None if this host is in no cluster,
    or nobody wants to know.
    """
    names = _names(config)
    peers = {} if tunnel is None else {str(key): peer for key, peer in tunnel.device.peers.items()}
    wanted = request.peers
    if wanted is None:
        wanted = tuple(key for key, peer in peers.items() if peer.endpoint or peer.persistent_keepalive_s)
    rows: list[Json] = []
    for key in wanted:
        peer = peers.get(key)
        age_s = None if peer is None else _handshake_age_s(peer, now)
        # Where only the responder sends, its first keepalive after 165 s makes the initiator renew the session.
        is_young = (
            peer is not None
            and age_s is not None
            and age_s <= request.max_handshake_age_s + peer.persistent_keepalive_s
        )
        has_proof = peer is not None and is_proven(peer)
        answer = None if peer is None else answers.get(peer.public_key)
        row: Json = {"public_key": key, "name": names.get(key), "ok": is_young and has_proof and answer is not False}
        rows.append(row | {"last_handshake_age_s": age_s, "is_proven": has_proof, "answers_heartbeats": answer})
    is_healthy = tunnel is not None and has_quorum is not False and all(row["ok"] for row in rows)
    return {"healthy": is_healthy, "peers": rows, "has_quorum": has_quorum}


def unhealthy_peers(health: Json) -> list[PublicKey]:
    """Public keys of the peers that are not ok."""
    rows = health["peers"]
    assert isinstance(rows, list)
    return [PublicKey.from_base64(row["public_key"]) for row in rows if not row["ok"]]


def _names(config: TunnelConfig | None) -> dict[str, str | None]:
    return {} if config is None else {str(peer.public_key): peer.name for peer in config.peers}


def _group_status(group: Group, now: float) -> Json:
    """Members in the order of the configuration; heartbeats add what they know (``redundancy``).

    direct: the member that the prefixes are of, on a hub. gateways: those that can be it, of a site.
    """
    return {
        "name": group.name,
        "members": [{"public_key": str(peer.public_key)} for peer in group.members],
        "active": str(group.active.public_key),
        "active_for_s": round(max(0.0, now - group.since), 3),
        "direct": None if group.direct is None else str(group.direct.public_key),
        "gateways": [{"public_key": str(peer.public_key)} for peer in group.gateways],
        "prefixes": [str(prefix) for prefix in group.prefixes],
    }


def _peer_status(device: Device, peer: Peer, names: Mapping[str, str | None], now: float) -> Json:
    return {
        "public_key": str(peer.public_key),
        "name": names.get(str(peer.public_key)),
        "endpoint": None if peer.endpoint is None else str(peer.endpoint),
        "allowed_ips": [str(prefix) for prefix in device.prefixes_to(peer)],
        "last_handshake_age_s": _handshake_age_s(peer, now),
        "rx_bytes": peer.rx_bytes,
        "tx_bytes": peer.tx_bytes,
        "persistent_keepalive_s": peer.persistent_keepalive_s,
    }


def _handshake_age_s(peer: Peer, now: float) -> float | None:
    return None if peer.last_handshake is None else round(max(0.0, now - peer.last_handshake), 3)


def _addresses(tunnel: Tunnel) -> list[str]:
    """Empty if the interface vanished in this moment."""
    if tunnel.routes is None:
        return []
    try:
        return sorted(map(str, tunnel.routes.addresses()))
    except DriverError:
        return []


def _forwards(tunnel: Tunnel) -> bool | None:
    """Of the whole host; None if the system does not say."""
    if tunnel.routes is None:
        return None
    try:
        return tunnel.routes.forwards()
    except DriverError:
        return None
