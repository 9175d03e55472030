# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Whatever a hostile spoke tells each hub, and however late or never claims arrive: no packet of it goes in circles."""

from __future__ import annotations

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from wirefleet_agent.ha.claims import LAPSE_INTERVALS
from wirefleet_agent.ha.messages import Claim, Request
from wirefleet_agent.ha.spokes import Spokes
from wirefleet_agent.keys import PublicKey

A, B, C, SPOKE = (PublicKey(bytes([number]) * 32) for number in (1, 2, 3, 9))
HUBS = (A, B, C)
INTERVAL_S = 0.5

hubs = st.sampled_from(HUBS)
# More than the greatest so far: often the next one, at times the same, a smaller one, or a third of the circle away.
steps = st.sampled_from([1, 1, 1, 0, 0, -1, -2, 3, 2**31 - 1, 2**30 + 7])


class HostileSpoke(RuleBasedStateMachine):
    """Three hubs; their claims are on the way for as long as it pleases, but for less than claims last."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.sequence = 0
        self.greatest = 5
        self.hubs = {hub: Spokes(hub, [SPOKE], interval_s=INTERVAL_S, misses=3, now=self.now) for hub in HUBS}
        for hub, spokes in self.hubs.items():
            spokes.set_alive_hubs(set(HUBS) - {hub})
        self.on_the_way: dict[tuple[PublicKey, PublicKey], deque[tuple[float, tuple[Claim, ...]]]] = {
            (source, target): deque() for source in HUBS for target in HUBS if source != target
        }

    @rule(to=hubs, names=st.one_of(hubs, st.none()), step=steps, instance=st.integers(1, 2))
    def say(self, to: PublicKey, names: PublicKey | None, step: int, instance: int) -> None:
        count = (self.greatest + step) % 2**32
        self.greatest = max(self.greatest, count)
        self.hear(to, names, count, instance)

    @rule(to=hubs, step=steps)
    def be_claimed(self, to: PublicKey, step: int) -> None:
        """And all that is under way arrives."""
        self.say(to, to, step, 1)
        for (source, target), waiting in self.on_the_way.items():
            while waiting:
                self.hubs[target].take_claims(source, waiting.popleft()[1], self.now)

    def hear(self, to: PublicKey, names: PublicKey | None, count: int, instance: int) -> None:
        self.sequence += 1
        self.hubs[to].request(SPOKE, Request(self.sequence, 0, names, count, 0, instance), self.now)
        self.tell(to, self.hubs[to].own.news())

    @rule(of=hubs, to=hubs, is_lost=st.booleans())
    def deliver(self, of: PublicKey, to: PublicKey, is_lost: bool) -> None:
        waiting = self.on_the_way.get((of, to))
        if waiting:
            _, claims = waiting.popleft()
            if not is_lost:
                self.hubs[to].take_claims(of, claims, self.now)

    @rule(intervals=st.sampled_from([1, 4, LAPSE_INTERVALS - 1, 2 * LAPSE_INTERVALS + 3]))
    def wait(self, intervals: int) -> None:
        for _ in range(intervals):
            self.now += INTERVAL_S
            for hub, spokes in self.hubs.items():
                spokes.sweep(self.now)
                self.tell(hub, spokes.own.turn())
            for (source, target), waiting in self.on_the_way.items():
                while waiting and self.now - waiting[0][0] >= (LAPSE_INTERVALS - 1) * INTERVAL_S:
                    self.hubs[target].take_claims(source, waiting.popleft()[1], self.now)

    def tell(self, hub: PublicKey, messages: list[tuple[Claim, ...]]) -> None:
        for other in HUBS:
            if other != hub:
                self.on_the_way[hub, other].extend((self.now, message) for message in messages)

    @invariant()
    def no_circle(self) -> None:
        for start in HUBS:
            way = [start]
            while (via := self.hubs[way[-1]].route(SPOKE, self.now).via) is not None:
                assert via not in way, f"a circle: {way}"
                way.append(via)


HostileSpoke.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestHostileSpoke = HostileSpoke.TestCase
