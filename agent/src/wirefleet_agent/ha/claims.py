# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Claims: what other hubs say of the spokes (``ClaimBook``), and what we tell them (``OwnClaims``).

A change is told at once and twice more with the next intervals, since a datagram may be lost; everything is told
again within ten intervals, a tenth per interval, so that a hub that restarted knows soon. A claim that was not repeated
for 30 intervals lapses. One thousand spokes are 4 datagrams per interval to each other hub. Gateways of sites are told
in every interval, as many as 4 more datagrams hold: a hub that lost them waits for a new claim.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import islice

from ..keys import PublicKey
from .messages import MAX_CLAIMS, Claim, is_newer_count

ROUND_INTERVALS = 10
LAPSE_INTERVALS = 30
_REPEATS = 3
_MAX_OFTEN = 4 * MAX_CLAIMS


class ClaimBook:
    """Of all other hubs. Only spokes that we know are noted, so nobody can fill it."""

    def __init__(self, spokes: Iterable[PublicKey], lapse_s: float) -> None:
        self._claims: dict[PublicKey, dict[PublicKey, tuple[Claim, float]]] = {spoke: {} for spoke in spokes}
        self._lapse_s = lapse_s

    def take(self, hub: PublicKey, claims: Iterable[Claim], now: float) -> list[PublicKey]:
        """The spokes of which something new was said. A claim older than this hub's last one is late and ignored."""
        changed: list[PublicKey] = []
        for claim in claims:
            known = self._claims.get(claim.spoke)
            if known is None:
                continue
            before, at = known.get(hub, (None, 0.0))
            is_current = before is not None and now - at < self._lapse_s
            if before is not None and is_current and is_newer_count(before.switch_count, claim.switch_count):
                continue
            known[hub] = (claim, now)
            if not is_current or claim != before:
                changed.append(claim.spoke)
        return changed

    def keep(self, spokes: Iterable[PublicKey]) -> None:
        """Exactly these are known from now on."""
        self._claims = {spoke: self._claims.get(spoke, {}) for spoke in spokes}

    def forget_hub(self, hub: PublicKey) -> list[PublicKey]:
        """It restarted: what it said before does not count. The spokes that it had said something of."""
        return [spoke for spoke, known in self._claims.items() if known.pop(hub, None) is not None]

    def said_of(self, spoke: PublicKey, now: float) -> dict[PublicKey, int]:
        """Switch counts by hub that claims it."""
        return {
            hub: claim.switch_count
            for hub, (claim, at) in self._claims.get(spoke, {}).items()
            if not claim.is_lost and now - at < self._lapse_s
        }

    def received(self, spoke: PublicKey, now: float) -> dict[PublicKey, float]:
        """When the last claim came, by hub that claims it."""
        return {
            hub: at
            for hub, (claim, at) in self._claims.get(spoke, {}).items()
            if not claim.is_lost and now - at < self._lapse_s
        }


class OwnClaims:
    """What this hub tells the others."""

    def __init__(self) -> None:
        self._mine: dict[PublicKey, Claim] = {}
        self._changed: dict[PublicKey, tuple[Claim, int]] = {}
        self._round: list[PublicKey] = []
        self._often_at = 0

    def has(self, spoke: PublicKey) -> bool:
        """Whether we claim it."""
        return spoke in self._mine

    @property
    def has_news(self) -> bool:
        """Something that has not been told even once."""
        return any(left == _REPEATS for _, left in self._changed.values())

    def claim(self, spoke: PublicKey, switch_count: int) -> None:
        """The spoke uses us. Idempotent."""
        claim = Claim(spoke, switch_count)
        if self._mine.get(spoke) != claim:
            self._mine[spoke] = claim
            self._changed[spoke] = (claim, _REPEATS)

    def lose(self, spoke: PublicKey, switch_count: int) -> None:
        """It does not, or we do not hear it."""
        if self._mine.pop(spoke, None) is not None:
            self._changed[spoke] = (Claim(spoke, switch_count, is_lost=True), _REPEATS)

    @property
    def count(self) -> int:
        """Spokes that use us."""
        return len(self._mine)

    def news(self) -> list[tuple[Claim, ...]]:
        """What has never been told, in messages."""
        fresh = [claim for claim, left in self._changed.values() if left == _REPEATS]
        return self._told(fresh)

    def turn(self, often: Sequence[PublicKey] = ()) -> list[tuple[Claim, ...]]:
        """Once per interval: changes that are to be repeated, a part of everything, and those of ``often``."""
        due = {claim.spoke: claim for claim, _ in self._changed.values()}
        if not self._round:
            self._round = list(self._mine)
        share = -(-len(self._mine) // ROUND_INTERVALS)
        for _ in range(min(share, len(self._round))):
            spoke = self._round.pop()
            if spoke in self._mine:
                due.setdefault(spoke, self._mine[spoke])
        for spoke in self._next_of(often):
            if spoke in self._mine:
                due.setdefault(spoke, self._mine[spoke])
        return self._told(list(due.values()))

    def everything(self) -> list[tuple[Claim, ...]]:
        """For a hub that knows nothing."""
        return _messages(list(self._mine.values()))

    def keep(self, spokes: Collection[PublicKey]) -> None:
        """Forget those that are no spokes any more."""
        for spoke in self._mine.keys() - spokes:
            del self._mine[spoke]
            self._changed.pop(spoke, None)

    def _next_of(self, often: Sequence[PublicKey]) -> Sequence[PublicKey]:
        """All of them, or the next part if they are too many."""
        if len(often) <= _MAX_OFTEN:
            return often
        start = self._often_at % len(often)
        self._often_at = start + _MAX_OFTEN
        return (*often[start : start + _MAX_OFTEN], *often[: max(0, start + _MAX_OFTEN - len(often))])

    def _told(self, claims: list[Claim]) -> list[tuple[Claim, ...]]:
        for claim in claims:
            changed = self._changed.get(claim.spoke)
            if changed is None:
                continue
            if changed[1] <= 1:
                del self._changed[claim.spoke]
            else:
                self._changed[claim.spoke] = (changed[0], changed[1] - 1)
        return _messages(claims)


def _messages(claims: list[Claim]) -> list[tuple[Claim, ...]]:
    iterator = iter(claims)
    found = []
    while part := tuple(islice(iterator, MAX_CLAIMS)):
        found.append(part)
    return found
