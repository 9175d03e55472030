# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A peer that is not ours: the reference implementation at an endpoint of the in-memory network, driven by hand."""

from __future__ import annotations

import ipaddress

from support.net import WALL_EPOCH, Network
from support.node import Node
from support.packets import ip_packet
from support.reference_noise import ReferenceNoise
from wirefleet_agent.core import Peer
from wirefleet_agent.keys import PresharedKey, PublicKey
from wirefleet_agent.wire import Endpoint


class Stranger:
    """Configured on ``node`` as one of its peers. Does only what it is told; what it is sent waits in ``take``."""

    def __init__(
        self, net: Network, node: Node, *, psk: bytes | None = None, number: int = 200, private: bytes | None = None
    ) -> None:
        self.net = net
        self.node = node
        self.inner = f"10.86.9.{number}"
        self.endpoint = Endpoint(f"203.0.113.{number}", 40000)
        self.noise = ReferenceNoise(
            private or net.random.randbytes(32), node.public_key.raw, net.random.randbytes, psk or bytes(32)
        )
        self.send_counter = 0
        self._taken = len(net.records)
        self._stamp = 0
        self.peer: Peer = node.device.add_peer(PublicKey(self.noise.public), net.now)
        node.device.set_preshared_key(self.peer, PresharedKey(psk) if psk else None, net.now)
        node.device.allowed_ips.insert(ipaddress.ip_network(self.inner), self.peer)
        node.device.set_endpoint(self.peer, self.endpoint, net.now)

    # From the node to us

    def take(self, kind: str | None = None) -> list[bytes]:
        """The datagrams that the node sent us since the last call; of other kinds than ``kind`` they are lost."""
        fresh, self._taken = self.net.records[self._taken :], len(self.net.records)
        return [r.datagram for r in fresh if r.destination == self.endpoint and kind in (None, r.kind)]

    def opened(self) -> list[bytes]:
        """The plaintexts, padding included, of the data and keepalives that the node sent us."""
        return [self.noise.open_data(datagram)[1] for datagram in self.take() if datagram[0] == 4]

    def poke(self, payload: bytes = b"poke") -> None:
        """Let the node's host send us a packet."""
        self.node.device.send_packet(ip_packet(self.node.inner, self.inner, payload), self.net.now)
        self.net.drain(self.node)

    # From us to the node

    def give(self, datagram: bytes, *, source: Endpoint | None = None, drain: bool = True) -> None:
        self.net.inject(datagram, source=source or self.endpoint, to=self.node, drain=drain)

    def stamp(self) -> bytes:
        """A stamp later than the last one."""
        self._stamp += 1
        return (0x400000000000000A + WALL_EPOCH + self._stamp).to_bytes(8, "big") + bytes(4)

    def initiate(self) -> None:
        """A whole handshake with us as initiator, key confirmation included."""
        self.give(self.noise.create_initiation(self.stamp()))
        (response,) = self.take("response")
        self.noise.consume_response(response)
        self.send_counter = 0
        self.send(b"")

    def respond(self) -> None:
        """Answer the node's initiation, the only thing that it sent."""
        (initiation,) = self.take("initiation")
        self.noise.consume_initiation(initiation)
        self.send_counter = 0
        self.give(self.noise.create_response())

    def packet(self, payload: bytes = b"data", *, inner_source: str | None = None) -> bytes:
        return ip_packet(inner_source or self.inner, self.node.inner, payload)

    def send(self, plaintext: bytes, *, counter: int | None = None, source: Endpoint | None = None) -> bytes:
        """Seal ``plaintext`` as it is; without a counter, under the next one. Returns the datagram."""
        if counter is None:
            counter = self.send_counter
            self.send_counter += 1
        datagram = self.noise.seal_data(counter, plaintext)
        self.give(datagram, source=source)
        return datagram
