# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""An in-memory network of Devices under a manual clock.

How to use it::

    def test_something(net):            # fixture of agent/tests/conftest.py: seeded, shows its chart on failure
        a, b = net.pair()               # two nodes that are each other's peers, endpoints known, up
        a.send(b, b"hello")             # an inner packet from a's overlay address to b's
        net.run_for(1.0)                # the clock moves from event to event; nothing sleeps
        assert b.payloads == [b"hello"]

* ``net.node(name)`` makes a host with one Device; ``net.connect(a, b, psk=..., keepalive_s=...)`` makes two nodes
  peers; ``net.established_pair()`` is a pair with a session; ``a.peer(b)`` is the Peer object for b on a; ``a.device``
  is the Device; ``a.drops`` its counters.
* The underlay: ``net.link(a, b, loss=.1, duplicate=.1, delay_s=.02, jitter_s=.05)`` (both directions; jitter reorders),
  ``net.cut(a, b)`` / ``net.mend(a, b)`` (both directions), ``net.cut(a, b, one_way=True)``.
* Roaming: ``a.move_to("198.51.100.9", 4000)``. NAT: ``nat = net.nat(a, "203.0.113.1")``: the world sees a there, from
  a port of the NAT's choice; ``nat.rebind()`` gives it another port and forgets the old one.
* Watching: ``net.records`` holds every datagram (time, sender, receiver, kind, size, fate, datagram);
  ``net.count("initiation", sender=a)`` counts what was sent. ``net.filters`` is a list of
  ``callable(Record) -> bool``; a datagram is lost unless all of them say True.
* Attacking: ``net.inject(datagram, source=Endpoint(...), to=b)`` delivers at once, past every link;
  ``drain=False`` leaves handshake messages in the queue of b, to be worked off by ``net.drain(b)``.
* Time: ``net.now`` (monotonic), ``a.wall_offset_s`` steps a's wall clock, ``net.run_for(s)``,
  ``net.run_until(claim, timeout_s)``, ``net.settle()`` delivers all that is under way without letting timers fire.
* Life: ``a.kill()`` (datagrams to it vanish, its timers stand), ``a.restart()`` (a fresh Device with the same
  configuration), ``a.device.down(net.now)`` / ``up``.

The seed is ``WIREFLEET_TEST_SEED``, or one made of the test's name; the chart begins with it.
"""

from __future__ import annotations

import heapq
import ipaddress
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from support.packets import ip_packet, payload_of
from wirefleet_agent.core import (
    DeliverPacket,
    Device,
    HandshakeCompleted,
    HandshakeGaveUp,
    Output,
    Peer,
    SendDatagram,
    stamp_of,
)
from wirefleet_agent.drops import DropReason
from wirefleet_agent.keys import PresharedKey, PrivateKey, PublicKey
from wirefleet_agent.wire import Endpoint, LocalAddress

WALL_EPOCH = 1_700_000_000
KINDS = {1: "initiation", 2: "response", 3: "cookie", 4: "data"}
CHART_LINES = 200


@dataclass
class Record:
    """One datagram on the underlay. fate: "" while under way, then "delivered" or why it was lost."""

    time: float
    sender: Node
    receiver: Node | None
    kind: str
    datagram: bytes
    source: Endpoint
    destination: Endpoint
    fate: str = ""

    @property
    def size(self) -> int:
        return len(self.datagram)


@dataclass
class Link:
    """One direction between two nodes. Probabilities 0 to 1; the delay is delay_s + a random part of jitter_s."""

    loss: float = 0.0
    duplicate: float = 0.0
    delay_s: float = 0.005
    jitter_s: float = 0.0
    is_cut: bool = False


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


class Nat:
    """A port-restricted NAT before one node: other nodes see ``public``; only who was written to may answer."""

    def __init__(self, net: Network, node: Node, host: str) -> None:
        self.net = net
        self.node = node
        self.public = Endpoint(host, 40000)
        self.allowed: set[Endpoint] = set()

    def rebind(self) -> None:
        """The mapping timed out: another port outside, and nothing comes in until the node sends."""
        self.public = Endpoint(self.public.host, self.public.port + 1)
        self.allowed.clear()


@dataclass(order=True)
class _Arrival:
    time: float
    sequence: int
    record: Record = field(compare=False)


class Network:
    """See the module's docstring."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.now = 1000.0
        self.nodes: list[Node] = []
        self.records: list[Record] = []
        self.filters: list[Callable[[Record], bool]] = []
        self.default_link = Link()
        self._links: dict[tuple[Node, Node], Link] = {}
        self._nats: dict[Node, Nat] = {}
        self._arrivals: list[_Arrival] = []
        self._sequence = 0

    # Building

    def node(self, name: str | None = None) -> Node:
        number = len(self.nodes) + 1
        node = Node(self, name or f"n{number}", number)
        self.nodes.append(node)
        return node

    def connect(self, a: Node, b: Node, *, psk: PresharedKey | None = None, keepalive_s: int = 0) -> None:
        """Make two nodes peers; the keepalive is a's alone, as with a host behind a NAT."""
        b.configure(a, psk=psk)
        a.configure(b, psk=psk, keepalive_s=keepalive_s)

    def pair(self, *, psk: PresharedKey | None = None, keepalive_s: int = 0) -> tuple[Node, Node]:
        """Two new nodes a and b, connected; nothing sent yet unless a keeps alive."""
        a, b = self.node("a"), self.node("b")
        self.connect(a, b, psk=psk, keepalive_s=keepalive_s)
        return a, b

    def established_pair(self, *, psk: PresharedKey | None = None) -> tuple[Node, Node]:
        """A pair with a session, a being its initiator; records and deliveries begin afresh."""
        a, b = self.pair(psk=psk)
        a.send(b, b"first")
        self.run_for(0.1)
        assert a.has_session(b), "no session after the handshake"
        assert b.has_session(a), "no session after the key confirmation"
        self.forget()
        return a, b

    def link(self, a: Node, b: Node, **settings: float) -> None:
        """Set loss, duplicate, delay_s or jitter_s between two nodes, both directions."""
        for link in (self._link(a, b), self._link(b, a)):
            for name, value in settings.items():
                assert hasattr(link, name), name
                setattr(link, name, value)

    def cut(self, a: Node, b: Node, *, one_way: bool = False) -> None:
        """Lose everything from a to b, and back unless one_way. What is under way still arrives."""
        self._link(a, b).is_cut = True
        if not one_way:
            self._link(b, a).is_cut = True

    def mend(self, a: Node, b: Node) -> None:
        self._link(a, b).is_cut = self._link(b, a).is_cut = False

    def nat(self, node: Node, host: str) -> Nat:
        nat = self._nats[node] = Nat(self, node, host)
        return nat

    # Running

    def run_for(self, seconds: float) -> None:
        """Let time pass: every arrival and every timer in its order."""
        self.run_until(lambda: False, seconds)

    def run_until(self, claim: Callable[[], bool], timeout_s: float = 10.0) -> bool:
        """Let time pass until ``claim()`` holds; False if it does not within ``timeout_s``."""
        end = self.now + timeout_s
        self.drain()
        while not claim():
            upcoming = [self._arrivals[0].time] if self._arrivals else []
            upcoming += [when for node in self.nodes if (when := self._deadline(node)) is not None]
            when = max(self.now, min(upcoming, default=end))
            if when > end:
                self.now = end
                return False
            self.now = when
            self._arrive()
            for node in self.nodes:
                deadline = self._deadline(node)
                if deadline is not None and deadline <= self.now:
                    node.device.advance(self.now)
                    self.drain(node)
            if not upcoming:
                return claim()
        return True

    def settle(self, timeout_s: float = 5.0) -> None:
        """Deliver what is under way, and what that causes, in at most ``timeout_s``; no timer fires."""
        end = self.now + timeout_s
        self.drain()
        while self._arrivals and self._arrivals[0].time <= end:
            self.now = max(self.now, self._arrivals[0].time)
            self._arrive()

    def inject(
        self, datagram: bytes, *, source: Endpoint, to: Node, local: LocalAddress | None = None, drain: bool = True
    ) -> None:
        """Give a datagram to ``to`` now, as if it came from ``source``."""
        to.device.receive_datagram(datagram, source, local, self.now)
        if drain:
            self.drain(to)

    def drain(self, only: Node | None = None) -> None:
        """Take the outputs of one node, or of all, and put their datagrams on the wire."""
        for node in [only] if only is not None else self.nodes:
            if node.is_dead:
                continue
            while True:
                outputs = node.device.poll()
                for output in outputs:
                    self._handle(node, output)
                if not outputs and not node.device.pending_handshakes:
                    break

    # Watching

    def count(self, kind: str | None = None, *, sender: Node | None = None, delivered: bool | None = None) -> int:
        """Datagrams sent, by kind ("initiation", "response", "cookie", "data", "keepalive") and sender."""
        return len(self.sent(kind, sender=sender, delivered=delivered))

    def sent(
        self, kind: str | None = None, *, sender: Node | None = None, delivered: bool | None = None
    ) -> list[Record]:
        return [
            record
            for record in self.records
            if (kind is None or record.kind == kind)
            and (sender is None or record.sender is sender)
            and (delivered is None or (record.fate == "delivered") is delivered)
        ]

    def forget(self) -> None:
        """Begin records, deliveries and events afresh."""
        self.records.clear()
        for node in self.nodes:
            node.delivered.clear()
            node.events.clear()

    def chart(self) -> str:
        """The packets as lines of text, the last ones if there are many, and every node's drops."""
        lines = [f"network seed {self.seed}, now {self.now:.3f}, {len(self.records)} datagrams"]
        for record in self.records[-CHART_LINES:]:
            to = record.receiver.name if record.receiver else str(record.destination)
            fate = "" if record.fate == "delivered" else f"  ({record.fate or 'under way'})"
            lines.append(
                f"{record.time:10.3f}  {record.sender.name:>8} -> {to:<8} {record.kind:<10} {record.size:5}{fate}"
            )
        for node in self.nodes:
            drops = ", ".join(f"{reason.value} {count}" for reason, count in node.drops.items()) or "none"
            lines.append(f"drops of {node.name}: {drops}")
        return "\n".join(lines)

    # The wire

    def _deadline(self, node: Node) -> float | None:
        return None if node.is_dead else node.device.next_deadline()

    def _handle(self, node: Node, output: Output) -> None:
        if isinstance(output, SendDatagram):
            self._send(node, output)
        elif isinstance(output, DeliverPacket):
            node.delivered.append((self.now, output.packet, output.peer))
        else:
            node.events.append((self.now, output))

    def _send(self, node: Node, output: SendDatagram) -> None:
        nat = self._nats.get(node)
        source = node.endpoint
        if nat is not None:
            source = nat.public
            nat.allowed.add(output.endpoint)
        receiver = self._receiver(output.endpoint, source)
        kind = KINDS.get(output.datagram[0], "?")
        if kind == "data" and len(output.datagram) == 32:
            kind = "keepalive"
        record = Record(self.now, node, receiver, kind, output.datagram, source, output.endpoint)
        self.records.append(record)
        if receiver is None:
            record.fate = "nobody there"
            return
        link = self._link(node, receiver)
        if link.is_cut:
            record.fate = "cut"
        elif not all(passes(record) for passes in self.filters):
            record.fate = "filtered"
        elif self.random.random() < link.loss:
            record.fate = "lost"
        else:
            self._enqueue(record, link)
            if self.random.random() < link.duplicate:
                self._enqueue(record, link)

    def _receiver(self, destination: Endpoint, source: Endpoint) -> Node | None:
        for node in self.nodes:
            nat = self._nats.get(node)
            if nat is None:
                if node.endpoint == destination:
                    return node
            elif nat.public == destination and source in nat.allowed:
                return node
        return None

    def _enqueue(self, record: Record, link: Link) -> None:
        self._sequence += 1
        when = self.now + link.delay_s + self.random.random() * link.jitter_s
        heapq.heappush(self._arrivals, _Arrival(when, self._sequence, record))

    def _arrive(self) -> None:
        while self._arrivals and self._arrivals[0].time <= self.now:
            record = heapq.heappop(self._arrivals).record
            node = record.receiver
            assert node is not None
            if node.is_dead:
                record.fate = "dead"
                continue
            record.fate = "delivered"
            local = LocalAddress(node.endpoint.host, 1)
            node.device.receive_datagram(record.datagram, record.source, local, self.now)
            self.drain(node)

    def _link(self, a: Node, b: Node) -> Link:
        link = self._links.get((a, b))
        if link is None:
            default = self.default_link
            link = self._links[a, b] = Link(
                default.loss, default.duplicate, default.delay_s, default.jitter_s, default.is_cut
            )
        return link
