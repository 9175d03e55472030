# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""How a hub reaches a spoke: itself ("direct"), or over another hub. Pure.

A spoke says in every heartbeat which hub it uses: its *word*. Hubs tell each other who uses them: *claims*. The switch
count, which grows with every switch of the spoke, tells what is newer.

=======  =====================================================  ==================  ============
heard?   what is known                                          the packets go      reason
=======  =====================================================  ==================  ============
yes      its word is this hub, or none                          direct              uses_us
yes      its word is G; G answers and has not lost the spoke    to G                uses_other
yes      its word is G; G is down or has lost the spoke         direct              other_gone
no       a claim of G, not older than the fresh last word       to G                claimed
no       a fresh last word G, newer than all claims             to G                last_word
no       nothing; a hub with a smaller key answers              to the smallest     guessed
no       nothing; no such hub                                   direct              unknown
=======  =====================================================  ==================  ============

* *heard*: its own requests came within misses x interval, or this hub has not been up for that long.
* Hubs that are down count for nothing: neither their claims nor words that name them.
* Going direct is right whenever the spoke is heard: it takes its networks' packets from any hub.
* No loop lasts. A hub that hears the spoke sends to G only at the spoke's word, and a G that does not hear it says so
  (a LOST claim). Hubs that know nothing send only to a smaller key, so the smallest one ends the chain. A last word
  counts for a few seconds only, since two hubs could remember each other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum
from typing import NamedTuple

from ..keys import PublicKey
from .messages import is_newer_count


class RouteReason(Enum):
    """The value is a label in logs and metrics."""

    USES_US = "uses_us"
    USES_OTHER = "uses_other"
    OTHER_GONE = "other_gone"
    CLAIMED = "claimed"
    LAST_WORD = "last_word"
    GUESSED = "guessed"
    UNKNOWN = "unknown"


class Word(NamedTuple):
    """What a spoke said, or what a hub claims of it."""

    hub: PublicKey | None
    switch_count: int


class SpokeView(NamedTuple):
    """What a hub knows of one spoke.

    word: its last one; None if there is none, or if the spoke is not heard and the word is too old. claims: by hub,
    those that have not lapsed. lost: the hubs that have lost the spoke, with the switch count that they had last.
    """

    is_heard: bool
    word: Word | None
    claims: Mapping[PublicKey, int]
    lost: Mapping[PublicKey, int]


class HubRoute(NamedTuple):
    """via: None is direct."""

    via: PublicKey | None
    reason: RouteReason


def route_to(spoke: SpokeView, me: PublicKey, alive_hubs: Collection[PublicKey]) -> HubRoute:
    """alive_hubs: the other hubs that answer us."""
    if spoke.is_heard:
        return _route_to_heard(spoke, me, alive_hubs)
    named = _usable_word(spoke, me, alive_hubs)
    claim = _newest_claim(spoke.claims, alive_hubs)
    if claim is not None and (named is None or not is_newer_count(named.switch_count, claim.switch_count)):
        return HubRoute(claim.hub, RouteReason.CLAIMED)
    if named is not None:
        return HubRoute(named.hub, RouteReason.LAST_WORD)
    smallest = min(alive_hubs, default=me)
    if smallest < me:
        return HubRoute(smallest, RouteReason.GUESSED)
    return HubRoute(None, RouteReason.UNKNOWN)


def _route_to_heard(spoke: SpokeView, me: PublicKey, alive_hubs: Collection[PublicKey]) -> HubRoute:
    if spoke.word is None or spoke.word.hub is None or spoke.word.hub == me:
        return HubRoute(None, RouteReason.USES_US)
    if _usable_word(spoke, me, alive_hubs) is None:
        return HubRoute(None, RouteReason.OTHER_GONE)
    return HubRoute(spoke.word.hub, RouteReason.USES_OTHER)


def _usable_word(spoke: SpokeView, me: PublicKey, alive_hubs: Collection[PublicKey]) -> Word | None:
    """The word, if it names another hub that answers and has not lost the spoke since."""
    word = spoke.word
    if word is None or word.hub is None or word.hub == me or word.hub not in alive_hubs:
        return None
    lost_at = spoke.lost.get(word.hub)
    if lost_at is not None and not is_newer_count(word.switch_count, lost_at):
        return None
    return word


def _newest_claim(claims: Mapping[PublicKey, int], alive_hubs: Collection[PublicKey]) -> Word | None:
    """Of equal counts, which a sane spoke does not produce, the smaller key: every hub has to choose alike."""
    newest: Word | None = None
    for hub in sorted(claims):
        if hub in alive_hubs and (newest is None or is_newer_count(claims[hub], newest.switch_count)):
            newest = Word(hub, claims[hub])
    return newest
