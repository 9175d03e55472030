# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Whatever gateways tell each hub, and whatever hubs tell each other how late: no packet for a site goes in circles."""

from __future__ import annotations

from collections import Counter, deque
from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from wirefleet_agent.ha.messages import Claim, Request
from wirefleet_agent.ha.sites import Sites
from wirefleet_agent.ha.spokes import Spokes
from wirefleet_agent.keys import PublicKey

A, B, C, D, S, T = (PublicKey(bytes([number]) * 32) for number in (1, 2, 3, 4, 8, 9))
HUBS, GATEWAYS = (A, B, C, D), (S, T)
INTERVAL_S, MISSES = 0.5, 3
PATIENCE_S = INTERVAL_S * MISSES
NAME = "lan"

hubs, gateways = st.sampled_from(HUBS), st.sampled_from(GATEWAYS)


class Hub:
    """What the engine of a hub does with ``Spokes`` and ``Sites``: looks after each event, and once per interval."""

    def __init__(self, key: PublicKey, now: float) -> None:
        self.key = key
        self.start(now)

    def start(self, now: float) -> None:
        self.spokes = Spokes(self.key, GATEWAYS, interval_s=INTERVAL_S, misses=MISSES, now=now)
        self.spokes.set_alive_hubs(set(HUBS) - {self.key})
        self.sites = Sites(self.spokes, PATIENCE_S)
        self.in_use, self.via = S, None

    def look(self, now: float) -> None:
        route = self.sites.route(NAME, GATEWAYS, self.in_use, self.via, now)
        self.in_use, self.via = route.gateway, route.via


class Circles(RuleBasedStateMachine):
    """Four hubs and two gateways that say anything to anybody; datagrams take less than the patience, or are lost."""

    seen: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.count = 5
        self.sequence = 0
        self.hubs = {key: Hub(key, self.now) for key in HUBS}
        self.on_the_way: dict[tuple[PublicKey, PublicKey], deque[tuple[float, tuple[Claim, ...]]]] = {
            (source, target): deque() for source in HUBS for target in HUBS if source != target
        }

    @rule(gateway=gateways, to=hubs, names=hubs, step=st.sampled_from([1, 1, 1, 0, -1]), hears=st.booleans())
    def say(self, gateway: PublicKey, to: PublicKey, names: PublicKey, step: int, hears: bool) -> None:
        self.sequence += 1
        self.count += step
        hub = self.hubs[to]
        request = Request(self.sequence, self.sequence - 1 if hears else 0, names, self.count, 0, 7)
        if hub.spokes.request(gateway, request, self.now):
            hub.look(self.now)
            self.tell(to, hub.spokes.own.news())

    @rule(gateway=gateways, to=hubs)
    def use(self, gateway: PublicKey, to: PublicKey) -> None:
        self.say(gateway, to, to, 1, True)

    @rule(gateway=gateways, to=hubs)
    def use_unanswered(self, gateway: PublicKey, to: PublicKey) -> None:
        """Until the hub knows that its answers do not arrive."""
        self.count += 1
        for _ in range(5):
            self.say(gateway, to, to, 0, False)
            self.wait(4, list(HUBS))

    @rule(of=hubs, to=hubs, is_lost=st.booleans())
    def deliver(self, of: PublicKey, to: PublicKey, is_lost: bool) -> None:
        waiting = self.on_the_way.get((of, to))
        if waiting:
            _, claims = waiting.popleft()
            if not is_lost:
                self.take(of, to, claims)

    @rule()
    def deliver_all(self) -> None:
        for (source, target), waiting in self.on_the_way.items():
            while waiting:
                self.take(source, target, waiting.popleft()[1])

    def take(self, source: PublicKey, target: PublicKey, claims: tuple[Claim, ...]) -> None:
        hub = self.hubs[target]
        if hub.spokes.take_claims(source, claims, self.now):
            hub.look(self.now)

    @rule(key=hubs)
    def restart(self, key: PublicKey) -> None:
        self.hubs[key].start(self.now)
        for other in HUBS:
            if other != key:
                self.hubs[other].spokes.hub_restarted(key)
                self.hubs[other].look(self.now)

    @rule(quarters=st.sampled_from([1, 2, 5, 6, 7, 40]), order=st.permutations(HUBS))
    def wait(self, quarters: int, order: list[PublicKey]) -> None:
        """Each hub has its turn once per interval, all at different moments."""
        for _ in range(quarters):
            self.now += INTERVAL_S / 4
            hub = self.hubs[order[round(self.now / INTERVAL_S * 4) % 4]]
            hub.spokes.sweep(self.now)
            hub.look(self.now)
            self.tell(hub.key, hub.spokes.own.turn(GATEWAYS))
            for (source, target), waiting in self.on_the_way.items():
                while waiting and self.now - waiting[0][0] >= PATIENCE_S - INTERVAL_S / 4:
                    self.take(source, target, waiting.popleft()[1])

    def tell(self, hub: PublicKey, messages: list[tuple[Claim, ...]]) -> None:
        for other in HUBS:
            if other != hub:
                self.on_the_way[hub, other].extend((self.now, message) for message in messages)

    @invariant()
    def no_circle(self) -> None:
        for start in HUBS:
            way = [start]
            while (via := self.hubs[way[-1]].via) is not None:
                assert via not in way, f"a circle: {way}"
                way.append(via)
            self.seen[f"{len(way) - 1} hops"] += 1


Circles.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


class TestSites(Circles.TestCase):
    """As hypothesis finds it, and the machine has relayed at all: else it has shown nothing."""

    def runTest(self) -> None:
        Circles.seen.clear()
        super().runTest()
        print(dict(Circles.seen))
        assert Circles.seen["1 hops"] > 0
