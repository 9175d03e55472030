# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What a hub remembers of sites: since when it has had no gateway. All else is in ``Spokes`` and in the groups."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..keys import PublicKey
from .site_routes import SiteRoute, SiteView, route_to_site
from .spokes import Spokes


class Sites:
    """Sites are known by their names. patience_s: misses x interval."""

    def __init__(self, spokes: Spokes, patience_s: float) -> None:
        self._spokes = spokes
        self._patience_s = patience_s
        self._lost_at: dict[str, float] = {}

    def keep(self, names: Collection[str]) -> None:
        """These are what they were. Of all others nothing is known: what we told of their gateways may be new."""
        self._lost_at = {name: at for name, at in self._lost_at.items() if name in names}

    def forget(self, name: str) -> None:
        """It is not there now."""
        self._lost_at.pop(name, None)

    def excuse(self, now: float) -> None:
        """Our own host stood still: what is read next may be old."""
        self._lost_at = dict.fromkeys(self._lost_at, now)

    def is_settled(self, name: str, in_use: PublicKey, now: float) -> bool:
        """Whether ``route`` would say that the gateway in use is well, which it mostly is."""
        return name not in self._lost_at and self._spokes.is_well(in_use, now)

    def route(
        self, name: str, gateways: Sequence[PublicKey], in_use: PublicKey, via: PublicKey | None, now: float
    ) -> SiteRoute:
        """See ``SiteView``. A gateway of which ``Spokes`` does not know counts as never heard."""
        well = [key for key in gateways if self._spokes.is_well(key, now)]
        using_us = [] if well else [key for key in gateways if self._spokes.own.has(key)]
        claims: dict[PublicKey, float] = {}
        if well or using_us:
            self._lost_at.pop(name, None)
        else:
            lost_at = self._lost_at.setdefault(name, now)
            claims = self._spokes.claims_of(gateways, lost_at + self._patience_s, now)
        return route_to_site(SiteView(tuple(gateways), in_use, via, well, using_us, claims))
