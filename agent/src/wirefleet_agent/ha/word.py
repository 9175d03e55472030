# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What a spoke tells each hub about the hub that it uses.

After a switch from H to G the hubs must not learn it in just any order: if H knew before G, H would send packets for
the spoke to G, and G, who still believes in H, would send them back. So G is told first. Only when it has answered, or
when it counts as down anyway, the others are told; until then they hear what they heard before.
"""

from __future__ import annotations

from ..keys import PublicKey
from .hub_routes import Word
from .messages import COUNT_MASK


class OwnWord:
    """Of one group. first_count: ahead of all that was said before a restart (seconds since the epoch are)."""

    def __init__(self, active: PublicKey, first_count: int, patience_s: float) -> None:
        self._word = Word(active, first_count & COUNT_MASK)
        self._before: Word | None = None
        self._patience_s = patience_s
        self._switched_at = 0.0
        self._told_with: int | None = None

    @property
    def active(self) -> PublicKey:
        assert self._word.hub is not None
        return self._word.hub

    @property
    def switch_count(self) -> int:
        return self._word.switch_count

    @property
    def is_confirmed(self) -> bool:
        """Whether everybody may know."""
        return self._before is None

    def switch(self, active: PublicKey, now: float) -> None:
        self._before = self._word
        self._word = Word(active, (self._word.switch_count + 1) & COUNT_MASK)
        self._switched_at = now
        self._told_with = None

    def for_member(self, member: PublicKey, sequence: int, now: float) -> Word:
        """What to say in the request with this sequence."""
        if self._before is not None and now - self._switched_at >= self._patience_s:
            self._before = None
        if member == self._word.hub:
            if self._told_with is None:
                self._told_with = sequence
            return self._word
        return self._before or self._word

    def answered(self, member: PublicKey, sequence: int) -> bool:
        """Whether the others are to be told now."""
        if self._before is None or member != self._word.hub or self._told_with is None or sequence < self._told_with:
            return False
        self._before = None
        return True
