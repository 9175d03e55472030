# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The members that this host asks: hubs on a spoke, the other hubs on a hub. Keeps their books and the groups' words.

Everything here happens in the turns of ``HaLoop``, which owns the sockets and acts on what comes out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from ..ha.backoff import Backoff, Jitter
from ..ha.hysteresis import Hysteresis
from ..ha.liveness import Liveness, State
from ..ha.messages import Flag, Reply, Request
from ..ha.view import MemberView
from ..ha.word import OwnWord
from ..keys import PublicKey
from .ha_settings import MemberReport

_SOON_S = 0.02  # a question out of turn is not worth it so close to another one


class Member:
    """One peer that is asked."""

    def __init__(self, key: PublicKey, interval_s: float, misses: int, jitter: Jitter, now: float) -> None:
        self.key = key
        self.liveness = Liveness(interval_s, misses, now, phase=jitter())
        self.hysteresis = Hysteresis()
        self.backoff = Backoff(jitter)
        self.attempt_at = math.inf
        self.asked_at = -math.inf
        self.is_broken = False
        self.is_draining = False
        self.epoch = 0
        self.override: PublicKey | None = None
        self.well_since = math.inf

    @property
    def is_alive(self) -> bool:
        return self.liveness.state is State.ALIVE

    def note_wellness(self, now: float) -> None:
        """Call after each change of ``liveness`` or ``is_broken``."""
        if self.is_alive and not self.is_broken:
            if math.isinf(self.well_since):
                self.well_since = now
            self.hysteresis.came_back(now)
        elif self.is_broken or self.liveness.state is State.DOWN:
            self.well_since = math.inf
            self.hysteresis.went_down(now)

    def view(self, *, is_active: bool, now: float) -> MemberView:
        """An active member has the benefit of the doubt until it has failed to answer."""
        is_alive = self.is_alive or (is_active and self.liveness.state is State.UNPROVEN)
        return MemberView(
            self.key,
            is_alive,
            self.is_draining,
            self.is_broken,
            self.hysteresis.held_until(now) if is_alive else math.inf,
            self.well_since,
        )

    def report(self, now: float) -> MemberReport:
        view, liveness = self.view(is_active=False, now=now), self.liveness
        held_for_s = view.held_until - now if self.is_alive else 0.0
        return MemberReport(
            key=self.key,
            state=liveness.state.value,
            standing=view.standing(now).name.lower(),
            rtt_s=liveness.rtt_s,
            missed=liveness.missed(now),
            requests=liveness.requests,
            replies=liveness.replies,
            flaps=self.hysteresis.flaps(now),
            held_for_s=max(0.0, held_for_s) if math.isfinite(held_for_s) else 0.0,
            is_draining=self.is_draining,
            is_broken=self.is_broken,
            epoch=self.epoch,
        )


class Members:
    """By key. words: of the groups that this host is a spoke of, by the group's name.

    first_count: see ``HaContext``.
    """

    def __init__(self, interval_s: float, misses: int, jitter: Jitter, instance: int, first_count: int) -> None:
        self.interval_s = interval_s
        self._past_count = first_count - 1
        self.misses = misses
        self.by_key: dict[PublicKey, Member] = {}
        self.words: dict[str, OwnWord] = {}
        self._jitter = jitter
        self._instance = instance
        self._word_of: dict[PublicKey, OwnWord] = {}

    def set_members(self, keys: Iterable[PublicKey], now: float) -> None:
        """Exactly these from now on; what is known of those that stay is kept."""
        wanted = dict.fromkeys(keys)
        for key in self.by_key.keys() - wanted.keys():
            del self.by_key[key]
        for key in wanted:
            if key not in self.by_key:
                self.by_key[key] = Member(key, self.interval_s, self.misses, self._jitter, now)

    def set_word(self, name: str, members: Sequence[PublicKey], active: PublicKey) -> None:
        """A group and whom it uses. A member of several groups hears the word of the first."""
        word = self.words.get(name)
        if word is None:
            word = self.words[name] = OwnWord(active, self.highest_count + 1, self.misses * self.interval_s)
        for key in members:
            self._word_of.setdefault(key, word)

    def forget_words(self, keep: Iterable[str]) -> None:
        """All but these groups', and who hears which."""
        names = set(keep)
        self._past_count = self.highest_count
        self.words = {name: word for name, word in self.words.items() if name in names}
        self._word_of.clear()

    @property
    def highest_count(self) -> int:
        """Of all words so far: hubs doubt a host that says another thing with the same count or a smaller one."""
        return max([self._past_count, *(word.switch_count for word in self.words.values())])

    def request(self, member: Member, epoch: int, flags: Flag, now: float) -> Request:
        """The next question to it, counted as asked."""
        sequence = member.liveness.request(now)
        member.asked_at = now
        word = self._word_of.get(member.key)
        said = None if word is None else word.for_member(member.key, sequence, now)
        return Request(
            sequence,
            member.liveness.heard,
            None if said is None else said.hub,
            0 if said is None else said.switch_count,
            epoch,
            self._instance,
            flags,
        )

    def is_due_soon(self, member: Member, now: float) -> bool:
        """Whether a question out of turn is superfluous."""
        return now - member.asked_at < _SOON_S

    def take_reply(self, member: Member, reply: Reply, now: float) -> tuple[bool, bool]:
        """(it is an answer to something we asked, the other members of its group are to be told of our switch now)."""
        if not member.liveness.reply(reply.sequence, now):
            return False, False
        member.is_draining = Flag.DRAINING in reply.flags
        member.epoch, member.override = reply.epoch, reply.override
        member.note_wellness(now)
        word = self._word_of.get(member.key)
        return True, word is not None and word.answered(member.key, reply.sequence)

    def alive(self) -> list[PublicKey]:
        return [key for key, member in self.by_key.items() if member.is_alive]

    def override(self, keys: Iterable[PublicKey]) -> PublicKey | None:
        """The hubs' wish: that of the alive member with the newest epoch, the first of equals."""
        best: Member | None = None
        for key in keys:
            member = self.by_key.get(key)
            if member is not None and member.is_alive and (best is None or member.epoch > best.epoch):
                best = member
        return None if best is None else best.override

    def excuse(self, now: float, grace_s: float | None = None) -> None:
        """Our own host stood still: nobody is to blame for the silence. grace_s: see ``Liveness.excuse``."""
        for member in self.by_key.values():
            member.liveness.excuse(now, grace_s)

    def next_wake(self, now: float) -> float:
        """When somebody is to be asked, counts as down, or is to be called."""
        wake = math.inf
        for member in self.by_key.values():
            wake = min(wake, member.liveness.next_request(now), member.liveness.deadline, member.attempt_at)
        return wake
