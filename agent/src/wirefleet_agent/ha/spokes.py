# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What a hub remembers of its spokes: their words, when it heard them, and where their packets go.

The engine tells it requests, claims and which hubs answer, and asks ``route`` for the spokes that are named in return.

A word is believed if its switch count is greater than that of the last one, or if it is the same word. A spoke that
says anything else is doubted: it is sent to directly where it is heard, relayed to nobody, and not claimed. After 60
intervals, when no hub can remember a claim of ours any more, its word counts whatever it said before: it may have
started again with its clock set back. An honest spoke does not come here otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice

from ..keys import PublicKey
from .claims import LAPSE_INTERVALS, ROUND_INTERVALS, ClaimBook, OwnClaims
from .hub_routes import HubRoute, SpokeView, Word, route_to
from .messages import Claim, Request

_REORDERED = 64
_FORGET_INTERVALS = 2 * LAPSE_INTERVALS


class _Spoke:
    """word: the last one that was believed. doubted_since: when it first said something else, None: it has not.

    answered_at: when it last told of an answer of ours that it had not told of before.
    """

    __slots__ = ("answered_at", "at", "doubted_since", "heard", "instance", "is_heard", "said", "sequence", "word")

    def __init__(self, now: float) -> None:
        self.at = self.answered_at = now
        # The benefit of the doubt: right after our start nobody has been heard.
        self.is_heard = True
        self.word: Word | None = None
        self.said: Word | None = None
        self.doubted_since: float | None = None
        self.instance: int | None = None
        self.sequence = self.heard = 0

    def say(self, word: Word, now: float, forget_s: float) -> None:
        self.said = word
        is_believed = self.word is None or word == self.word or word.switch_count > self.word.switch_count
        if is_believed or (self.doubted_since is not None and now - self.doubted_since >= forget_s):
            self.word, self.doubted_since = word, None
        elif self.doubted_since is None:
            self.doubted_since = now


class Spokes:
    """Of the hub ``me``. keys: the spokes with an agent."""

    def __init__(self, me: PublicKey, keys: Iterable[PublicKey], *, interval_s: float, misses: int, now: float) -> None:
        self.own = OwnClaims()
        self._me = me
        self._patience_s = misses * interval_s
        self._forget_s = _FORGET_INTERVALS * interval_s
        self._spokes = {key: _Spoke(now) for key in keys}
        self._book = ClaimBook(self._spokes, LAPSE_INTERVALS * interval_s)
        self._alive_hubs: frozenset[PublicKey] = frozenset()

    def set_spokes(self, keys: Collection[PublicKey], now: float) -> None:
        """Exactly these from now on; what is known of those that stay is kept."""
        self._spokes = {key: self._spokes.get(key) or _Spoke(now) for key in keys}
        self._book.keep(self._spokes)
        self.own.keep(self._spokes.keys())

    def __len__(self) -> int:
        return len(self._spokes)

    def __contains__(self, key: object) -> bool:
        return key in self._spokes

    def __iter__(self) -> Iterator[PublicKey]:
        return iter(self._spokes)

    def request(self, key: PublicKey, request: Request, now: float) -> bool:
        """A spoke was heard. Whether its route may be another one now. A late request changes nothing."""
        spoke = self._spokes.get(key)
        if spoke is None:
            return False
        if spoke.instance == request.instance and 0 <= spoke.sequence - request.sequence < _REORDERED:
            return False
        word = Word(request.active, request.switch_count)
        was_doubted = spoke.doubted_since is not None
        is_changed = not spoke.is_heard or word != spoke.said
        if spoke.instance != request.instance or spoke.heard != request.heard:
            spoke.answered_at = now
        spoke.instance, spoke.sequence, spoke.heard = request.instance, request.sequence, request.heard
        spoke.at, spoke.is_heard = now, True
        spoke.say(word, now, self._forget_s)
        is_changed = is_changed or was_doubted != (spoke.doubted_since is not None)
        if is_changed:
            self._claim(key, spoke)
        return is_changed

    def sweep(self, now: float) -> list[PublicKey]:
        """Once per interval: the spokes that are not heard any more, and those whose last word was just forgotten."""
        changed = []
        for key, spoke in self._spokes.items():
            silence_s = now - spoke.at
            if spoke.is_heard:
                if silence_s >= self._patience_s:
                    spoke.is_heard = False
                    self._claim(key, spoke)
                    changed.append(key)
            elif spoke.word is not None and silence_s >= self._patience_s + self._forget_s:
                spoke.word = spoke.said = spoke.doubted_since = None
                changed.append(key)
        return changed

    def excuse(self, now: float) -> None:
        """Our own host stood still: nobody is to blame for the silence."""
        for spoke in self._spokes.values():
            if spoke.is_heard:
                spoke.at = spoke.answered_at = now

    def claimed(self, part: int) -> list[PublicKey]:
        """The spokes whose routes rest on claims, which lapse without a word: a tenth of them, part 0 to 9."""
        return [
            key
            for key, spoke in islice(self._spokes.items(), part, None, ROUND_INTERVALS)
            if not spoke.is_heard or (spoke.word is not None and spoke.word.hub != self._me)
        ]

    def take_claims(self, hub: PublicKey, claims: Iterable[Claim], now: float) -> list[PublicKey]:
        """What another hub says: the spokes whose routes may be others now."""
        return self._book.take(hub, claims, now)

    def hub_restarted(self, hub: PublicKey) -> list[PublicKey]:
        """The spokes that it had said something of."""
        return self._book.forget_hub(hub)

    def set_alive_hubs(self, hubs: Collection[PublicKey]) -> list[PublicKey]:
        """The other hubs that answer: the spokes whose routes may be others now, all or none."""
        if self._alive_hubs == frozenset(hubs):
            return []
        self._alive_hubs = frozenset(hubs)
        return list(self._spokes)

    def route(self, key: PublicKey, now: float) -> HubRoute:
        """Raises KeyError for a stranger."""
        spoke = self._spokes[key]
        view = SpokeView(spoke.is_heard, spoke.word, self._book.said_of(key, now), spoke.doubted_since is not None)
        return route_to(view, self._me, self._alive_hubs)

    def is_heard(self, key: PublicKey) -> bool:
        return self._spokes[key].is_heard and self._spokes[key].instance is not None

    def hears_us(self, key: PublicKey, now: float) -> bool:
        """Whether our answers arrive there, as far as its requests tell: the newest one did within the patience."""
        return now - self._spokes[key].answered_at < self._patience_s

    def is_well(self, key: PublicKey, now: float) -> bool:
        """It is heard and hears us. Of a stranger nothing is known."""
        return key in self._spokes and self._spokes[key].is_heard and self.hears_us(key, now)

    def claims_of(self, keys: Iterable[PublicKey], after: float, now: float) -> dict[PublicKey, float]:
        """By alive hub that claims any of these spokes when its newest claim came, if that was later than ``after``."""
        newest: dict[PublicKey, float] = {}
        for key in keys:
            for hub, at in self._book.received(key, now).items():
                if at > after and hub in self._alive_hubs:
                    newest[hub] = max(at, newest.get(hub, at))
        return newest

    def _claim(self, key: PublicKey, spoke: _Spoke) -> None:
        if spoke.word is None:
            return
        if spoke.is_heard and spoke.word.hub == self._me and spoke.doubted_since is None:
            self.own.claim(key, spoke.word.switch_count)
        else:
            self.own.lose(key, spoke.word.switch_count)
