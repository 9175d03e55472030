# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A device as the lines of a get, in wireguard-go's order (checklist 41, 42). Secrets included: wg(8) hides them.

A group's prefixes are among those of its active member. Two keys beside them, which wg(8) passes over, tell of the
group: ``group=NAME`` at each member and ``group_active=true`` behind it at the active one. Where there is a direct
member, the others are told of only while they are active: on a hub each is in a group with every spoke.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from ...core import Device, Peer
from ..host_steps import SocketSettings

LINES_PER_PIECE = 4096
_NO_PRESHARED_KEY = "0" * 64


def render_get(device: Device, sockets: SocketSettings) -> Iterator[str]:
    """Every line with its newline, in pieces of a few milliseconds' work each; ``render_reply`` adds the errno.

    The peers are those of the first piece; what a piece says of them is true when it is made.
    """
    peers = tuple(device.peers.values())
    lines = itertools.chain(
        _device_lines(device, sockets), itertools.chain.from_iterable(_peer_lines(device, peer) for peer in peers)
    )
    while some := tuple(itertools.islice(lines, LINES_PER_PIECE)):
        yield "".join(f"{line}\n" for line in some)


def _device_lines(device: Device, sockets: SocketSettings) -> Iterator[str]:
    if device.private_key is not None:
        yield f"private_key={device.private_key.reveal_hex()}"
    if sockets.listen_port:
        yield f"listen_port={sockets.listen_port}"
    if sockets.fwmark:
        yield f"fwmark={sockets.fwmark}"


def _peer_lines(device: Device, peer: Peer) -> Iterator[str]:
    yield f"public_key={peer.public_key.hex()}"
    psk = peer.preshared_key
    yield f"preshared_key={_NO_PRESHARED_KEY if psk is None else psk.reveal_hex()}"
    yield "protocol_version=1"
    if peer.endpoint is not None:
        yield f"endpoint={peer.endpoint}"
    seconds, nanoseconds = peer.last_handshake_wall
    yield f"last_handshake_time_sec={seconds}"
    yield f"last_handshake_time_nsec={nanoseconds}"
    yield f"tx_bytes={peer.tx_bytes}"
    yield f"rx_bytes={peer.rx_bytes}"
    yield f"persistent_keepalive_interval={peer.persistent_keepalive_s}"
    for group in device.groups_of(peer):
        if group.active is peer or group.direct in (None, peer) or peer in group.gateways:
            yield f"group={group.name}"
        if group.active is peer:
            yield "group_active=true"
    for prefix in device.prefixes_to(peer):
        yield f"allowed_ip={prefix}"
