# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A host of the in-memory network; see support.net."""

from __future__ import annotations

import ipaddress
from collections import Counter
from typing import TYPE_CHECKING

from support.packets import ip_packet, payload_of
from wirefleet_agent.core import Device, HandshakeCompleted, HandshakeGaveUp, Peer, stamp_of
from wirefleet_agent.drops import DropReason
from wirefleet_agent.keys import PresharedKey, PrivateKey, PublicKey
from wirefleet_agent.wire import Endpoint

if TYPE_CHECKING:
    from support.net import Network

WALL_EPOCH = 1_700_000_000


class Node:
    """A host: one Device at one underlay endpoint, with one overlay address of each family."""

    def __init__(self, net: Network, name: str, number: int) -> None:
        self.net = net
        self.name = name
        self.inner = str(ipaddress.IPv4Address("10.86.0.0") + number)
        self.inner6 = str(ipaddress.IPv6Address("fd86::") + number)
        self.endpoint = Endpoint(str(ipaddress.IPv4Address("192.0.2.0") + number), 51820)
        self.private_key = PrivateKey(net.random.randbytes(32))
        self.wall_offset_s = 0.0
        self.is_dead = False
        self.delivered: list[tuple[float, bytes, Peer]] = []
        self.events: list[tuple[float, HandshakeCompleted | HandshakeGaveUp]] = []
        self._configured: list[tuple[Node, PresharedKey | None, int, bool]] = []
        self.device = self._new_device()

    def _new_device(self) -> Device:
        device = Device(entropy=self.net.random.randbytes, tai64n_now=self._stamp)
        device.set_private_key(self.private_key, self.net.now)
        device.up(self.net.now)
        return device

    def _stamp(self) -> bytes:
        nanoseconds = round((self.net.now + self.wall_offset_s) * 1e9)
        return stamp_of(WALL_EPOCH + nanoseconds // 10**9, nanoseconds % 10**9)

    @property
    def public_key(self) -> PublicKey:
        assert self.device.public_key is not None
        return self.device.public_key

    @property
    def drops(self) -> Counter[DropReason]:
        return self.device.drops

    @property
    def payloads(self) -> list[bytes]:
        """What arrived inside the tunnels, without IP headers, in order."""
        return [payload_of(packet) for _, packet, _ in self.delivered]

    @property
    def handshakes(self) -> int:
        """Completed ones, either role."""
        return sum(isinstance(event, HandshakeCompleted) for _, event in self.events)

    def peer(self, other: Node) -> Peer:
        return self.device.peers[other.public_key]

    def has_session(self, other: Node) -> bool:
        return self.peer(other).has_session(self.net.now)

    def send(self, to: Node, payload: bytes = b"ping", *, ipv6: bool = False) -> None:
        """Hand one inner packet for ``to`` to our device, as the host would."""
        if ipv6:
            packet = ip_packet(self.inner6, to.inner6, payload)
        else:
            packet = ip_packet(self.inner, to.inner, payload)
        self.device.send_packet(packet, self.net.now)
        self.net.drain(self)

    def configure(
        self, other: Node, *, psk: PresharedKey | None = None, keepalive_s: int = 0, endpoint: bool = True
    ) -> Peer:
        """Make ``other`` our peer, with its overlay addresses as AllowedIPs."""
        now = self.net.now
        peer = self.device.add_peer(other.public_key, now)
        self.device.set_preshared_key(peer, psk, now)
        self.device.allowed_ips.insert(ipaddress.IPv4Network(other.inner), peer)
        self.device.allowed_ips.insert(ipaddress.IPv6Network(other.inner6), peer)
        if endpoint:
            self.device.set_endpoint(peer, other.endpoint, now)
        self.device.set_persistent_keepalive(peer, keepalive_s, now)
        self._configured.append((other, psk, keepalive_s, endpoint))
        self.net.drain(self)
        return peer

    def move_to(self, host: str, port: int = 51820) -> None:
        """Roam: from now on we send from, and are reached at, another underlay address."""
        self.endpoint = Endpoint(host, port)

    def kill(self) -> None:
        self.is_dead = True

    def restart(self) -> None:
        """Come (back) to life with the configuration and nothing else; the drop counters begin at 0."""
        configured, self._configured = self._configured, []
        self.is_dead = False
        self.device = self._new_device()
        for other, psk, keepalive_s, endpoint in configured:
            self.configure(other, psk=psk, keepalive_s=keepalive_s, endpoint=endpoint)

    def __repr__(self) -> str:
        return self.name
