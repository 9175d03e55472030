# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""How a hub reaches a spoke: itself ("direct"), or over another hub. Pure.

A spoke says in every heartbeat which hub it uses: its *word*. Hubs tell each other who uses them: *claims*. The switch
count, which grows with every switch of the spoke, tells what is newer.

=======  =====================================================  ==================  ============
heard?   what is known                                          the packets go      reason
=======  =====================================================  ==================  ============
yes      its word is this hub, or none                          direct              uses_us
yes      its word is G; G answers and claims it                 to G                uses_other
yes      its word is G; G is down or does not claim it          direct              other_gone
yes      a word that contradicts an earlier one                 direct              doubted
no       a claim of G                                           to G                claimed
no       no claim, no word; a hub with a smaller key answers    to the smallest     guessed
no       neither; no such hub                                   direct              unknown
=======  =====================================================  ==================  ============

* *heard*: its own requests came within misses x interval, or this hub has not been up for that long.
* Hubs that are down count for nothing: neither their claims nor words that name them.
* Going direct is right whenever the spoke is heard: it takes its networks' packets from any hub.
* A claim counts only if its switch count is not smaller than that of the last word, and greater if that word was this
  hub. Counts are compared as numbers here: where they begin again the spoke is doubted for a while.

There are no circles, whatever a spoke tells whom and however late claims are:

* A hub believes one word per count, and only greater counts after it (``ha.spokes``), so it has never claimed a count
  greater than that of its word. If X sends to G by a claim, then: word of X <= claim of G <= word of G. Around a circle
  all of these are equal. But then each hub on it has claimed the spoke at the very count of its word, so its word is
  itself, and it sends directly, or by a greater claim only.
* A hub that guesses has no word, and has not claimed the spoke for longer than claims last. So nobody sends to it by a
  claim, and whoever guesses it has a greater key.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum
from typing import NamedTuple

from ..keys import PublicKey


class RouteReason(Enum):
    """The value is a label in logs and metrics."""

    USES_US = "uses_us"
    USES_OTHER = "uses_other"
    OTHER_GONE = "other_gone"
    DOUBTED = "doubted"
    CLAIMED = "claimed"
    GUESSED = "guessed"
    UNKNOWN = "unknown"


class Word(NamedTuple):
    """What a spoke said, or what a hub claims of it."""

    hub: PublicKey | None
    switch_count: int


class SpokeView(NamedTuple):
    """What a hub knows of one spoke.

    word: the last one that was believed; None if there is none, or if that was long ago. claims: by hub, those that
    have not lapsed and were not taken back. is_doubted: the spoke has said something else since.
    """

    is_heard: bool
    word: Word | None
    claims: Mapping[PublicKey, int]
    is_doubted: bool = False


class HubRoute(NamedTuple):
    """via: None is direct."""

    via: PublicKey | None
    reason: RouteReason


def route_to(spoke: SpokeView, me: PublicKey, alive_hubs: Collection[PublicKey]) -> HubRoute:
    """alive_hubs: the other hubs that answer us."""
    if spoke.is_heard:
        return _route_to_heard(spoke, me, alive_hubs)
    claim = _newest_claim(spoke, me, alive_hubs)
    if claim is not None:
        return HubRoute(claim.hub, RouteReason.CLAIMED)
    smallest = min(alive_hubs, default=me)
    if spoke.word is None and smallest < me:
        return HubRoute(smallest, RouteReason.GUESSED)
    return HubRoute(None, RouteReason.UNKNOWN)


def _route_to_heard(spoke: SpokeView, me: PublicKey, alive_hubs: Collection[PublicKey]) -> HubRoute:
    word = spoke.word
    if spoke.is_doubted:
        return HubRoute(None, RouteReason.DOUBTED)
    if word is None or word.hub is None or word.hub == me:
        return HubRoute(None, RouteReason.USES_US)
    if word.hub in alive_hubs and spoke.claims.get(word.hub, -1) >= word.switch_count:
        return HubRoute(word.hub, RouteReason.USES_OTHER)
    return HubRoute(None, RouteReason.OTHER_GONE)


def _newest_claim(spoke: SpokeView, me: PublicKey, alive_hubs: Collection[PublicKey]) -> Word | None:
    """Of equal counts, which a sane spoke does not produce, the smaller key: every hub has to choose alike."""
    least = -1
    if spoke.word is not None:
        least = spoke.word.switch_count + (1 if spoke.word.hub == me else 0)
    newest: Word | None = None
    for hub in sorted(spoke.claims):
        count = spoke.claims[hub]
        if hub in alive_hubs and count >= least and (newest is None or count > newest.switch_count):
            newest = Word(hub, count)
    return newest
