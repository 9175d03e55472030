# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Probes: does a hub forward, or is it "online but broken"?

Heartbeats reach the hub's own addresses and say nothing about what it forwards. So the spoke sends a heartbeat for
*another* hub G over the hub H that it asks about: through H's tunnel, kernel and tunnel. G answers directly. The
targets take turns, and two different ones have to fail:

=====================================================  =========================================
probes over H, while the targets answer us directly    verdict
=====================================================  =========================================
one answered                                           H works, whatever failed before
misses or more overdue since, to two or more targets   H is broken
overdue to one target only                             none: the way from H to that one is cut
=====================================================  =========================================

A probe is overdue after misses x interval; a later answer still counts. One is sent every second interval, and every
interval while the last one is owed; so at the defaults a hub that stops forwarding is found after 2.5 to 3.5 s.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
from typing import NamedTuple

from ..keys import PublicKey

_CALM_INTERVALS = 2
_OUTSTANDING = 64
_LEAST_TARGETS = 2


class Probe(NamedTuple):
    """To be sent to ``target`` over ``via``."""

    via: PublicKey
    target: PublicKey
    sequence: int


class _Sent(NamedTuple):
    probe: Probe
    at: float


class Probes:
    """Of one spoke, over any of its hubs."""

    def __init__(self, interval_s: float, misses: int) -> None:
        self._interval_s = interval_s
        self._misses = misses
        self._sequence = 0
        self._turn = 0
        self._sent: OrderedDict[int, _Sent] = OrderedDict()
        self._last_at: dict[PublicKey, float] = {}
        self.broken: set[PublicKey] = set()

    def next_probe(self, via: PublicKey, targets: Sequence[PublicKey], now: float) -> Probe | None:
        """The probe that is due, counted as sent. targets: the other hubs that answer, in a steady order."""
        if not targets or now < self._due_at(via, now):
            return None
        self._sequence += 1
        self._turn += 1
        probe = Probe(via, targets[self._turn % len(targets)], self._sequence)
        self._sent[probe.sequence] = _Sent(probe, now)
        self._last_at[via] = now
        if len(self._sent) > _OUTSTANDING:
            self._sent.popitem(last=False)
        return probe

    def reply(self, target: PublicKey, sequence: int) -> PublicKey | None:
        """An answer of ``target``: the hub that has shown that it forwards, or None if we asked no such thing."""
        sent = self._sent.get(sequence)
        if sent is None or sent.probe.target != target:
            return None
        via = sent.probe.via
        for earlier in [number for number, each in self._sent.items() if number <= sequence and each.probe.via == via]:
            del self._sent[earlier]
        self.broken.discard(via)
        return via

    def check(self, via: PublicKey, alive: Collection[PublicKey], now: float) -> bool:
        """Whether ``via`` has just turned out to be broken. alive: the hubs that answer directly."""
        if via in self.broken:
            return False
        overdue_s = self._misses * self._interval_s
        failed = [
            sent.probe.target
            for sent in self._sent.values()
            if sent.probe.via == via and sent.probe.target in alive and now - sent.at >= overdue_s
        ]
        if len(failed) < self._misses or len(set(failed)) < _LEAST_TARGETS:
            return False
        self.broken.add(via)
        return True

    def forget(self, via: PublicKey) -> None:
        """It went down or is a new one: nothing that was sent over it counts."""
        self._sent = OrderedDict((number, sent) for number, sent in self._sent.items() if sent.probe.via != via)
        self._last_at.pop(via, None)
        self.broken.discard(via)

    def _due_at(self, via: PublicKey, now: float) -> float:
        last_at = self._last_at.get(via)
        if last_at is None:
            return now
        is_owed = any(sent.probe.via == via for sent in self._sent.values())
        is_calm = via in self.broken or not is_owed
        return last_at + self._interval_s * (_CALM_INTERVALS if is_calm else 1)
