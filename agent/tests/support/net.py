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
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from support.node import WALL_EPOCH, Node
from support.underlay import Link, Nat, Record, kind_of
from wirefleet_agent.core import DeliverPacket, Output, SendDatagram
from wirefleet_agent.keys import PresharedKey
from wirefleet_agent.wire import Endpoint, LocalAddress

__all__ = ["WALL_EPOCH", "Link", "Nat", "Network", "Node", "Record"]

CHART_LINES = 200


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

    def quiet_pair(self) -> tuple[Node, Node]:
        """An established pair with nothing left that waits for an answer or asks for one."""
        a, b = self.established_pair()
        self.run_for(16)
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
        nat = self._nats[node] = Nat(node, host)
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
        kind = kind_of(output.datagram)
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
