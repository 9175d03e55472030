# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""How a hub reaches a LAN behind several spokes, its *gateways*: over one of them, or over another hub. Pure.

=======================================================  ==============================  ===========
what is known of the gateways                            the packets go                  reason
=======================================================  ==============================  ===========
the one in use is well                                   to it                           in_use
it is not, another one is                                to the first well one in order  took_over
none is well, one says that it uses this hub             to it, that in use if it does   unanswered
neither; an alive hub claims one, told late enough       to that hub                     claimed
neither; no such hub                                     to the one that was in use      unknown
=======================================================  ==============================  ===========

* *well* here: its heartbeats come, and our answers arrive there. Which hub a gateway uses itself does not matter: it
  takes its LAN's packets from any hub.
* No way back by itself: a gateway that came back is no reason to leave one that is well.
* Packets from the hub's own addresses go to the gateway in use, or to the one that was, always.
* Of several hubs the one that is used already stays; else the newest claim counts, of equals the smaller key.

There are no circles. A hub *has* a gateway while one is well or uses it. Claims are told of gateways that use the
sender, so whoever tells one has a gateway then. Let L(X) be when X noticed that it has none any more. X sends to G only
by a claim that came more than misses x interval after L(X). No datagram is older than that, so G told it, and had a
gateway, after L(X). So G has one still and sends directly, or L(X) < L(G). Around a circle these moments would grow for
ever. (A host that stood still reads old datagrams late. So it takes the moment in which it goes on for L.)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum
from typing import NamedTuple

from ..keys import PublicKey


class SiteReason(Enum):
    """The value is a label in logs and metrics."""

    IN_USE = "in_use"
    TOOK_OVER = "took_over"
    UNANSWERED = "unanswered"
    CLAIMED = "claimed"
    UNKNOWN = "unknown"


class SiteView(NamedTuple):
    """What a hub knows of one site.

    gateways: best first, at least one. in_use: the one that is used, or was last; perhaps none of them any more. via:
    the hub that is used now. using_us: gateways that are heard and say so. claims: by alive hub when its newest claim
    of one of the gateways came (monotonic seconds); only those that came late enough.
    """

    gateways: tuple[PublicKey, ...]
    in_use: PublicKey
    via: PublicKey | None
    well: Collection[PublicKey]
    using_us: Collection[PublicKey]
    claims: Mapping[PublicKey, float]


class SiteRoute(NamedTuple):
    """gateway: whom the hub's own packets go to, and all others if ``via`` is None."""

    gateway: PublicKey
    via: PublicKey | None
    reason: SiteReason


def route_to_site(site: SiteView) -> SiteRoute:
    in_use = site.in_use if site.in_use in site.gateways else site.gateways[0]
    if in_use in site.well:
        return SiteRoute(in_use, None, SiteReason.IN_USE)
    for key in site.gateways:
        if key in site.well:
            return SiteRoute(key, None, SiteReason.TOOK_OVER)
    for key in (in_use, *site.gateways):
        if key in site.using_us:
            return SiteRoute(key, None, SiteReason.UNANSWERED)
    if site.via is not None and site.via in site.claims:
        return SiteRoute(in_use, site.via, SiteReason.CLAIMED)
    if site.claims:
        newest = min(site.claims, key=lambda hub: (-site.claims[hub], hub))
        return SiteRoute(in_use, newest, SiteReason.CLAIMED)
    return SiteRoute(in_use, None, SiteReason.UNKNOWN)
