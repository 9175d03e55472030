# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The hub's side: follows the spokes' words and the other hubs' claims, and switches the spokes' and sites' groups."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import structlog

from ..core import Device, Group
from ..ha.claims import ROUND_INTERVALS
from ..ha.hub_routes import HubRoute
from ..ha.messages import Claim, Request
from ..ha.spokes import Spokes
from ..keys import PublicKey
from .ha_settings import HaCounters, SiteReport, SpokeReport
from .ha_sites import SiteKeeper

_log = structlog.get_logger(room="engine")


class HubSide:
    """Of one tunnel; ``set_groups`` says which groups of the device are spokes' and which are sites'.

    They are known by their names: others may have made a group anew, as ``wg setconf`` does, or ended it.
    """

    def __init__(
        self,
        device: Device,
        me: PublicKey,
        *,
        interval_s: float,
        misses: int,
        counters: HaCounters,
        on_switched: Callable[[], None],
        now: float,
    ) -> None:
        self._device = device
        self.me = me
        self._counters = counters
        self._on_switched = on_switched
        self._names: dict[PublicKey, str] = {}
        self._turns = 0
        self.spokes = Spokes(me, (), interval_s=interval_s, misses=misses, now=now)
        self._sites = SiteKeeper(device, self.spokes, misses * interval_s, counters)

    def __contains__(self, key: object) -> bool:
        return key in self.spokes

    @property
    def using_us(self) -> int:
        """How many spokes are heard and say that they use this hub."""
        return self.spokes.own.count

    def set_groups(self, groups: Collection[Group], sites: Collection[str], now: float) -> None:
        """Exactly these from now on: those with a direct member. sites: the names of those that are not spokes'."""
        self._names = {
            group.direct.public_key: group.name
            for group in groups
            if group.direct is not None and group.name not in sites
        }
        self._sites.set_groups([group for group in groups if group.name in sites])
        self.spokes.set_spokes(dict.fromkeys((*self._names, *self._sites.gateways)), now)
        self._follow(self._names, now)
        self._follow_sites(None, now)

    def request(self, key: PublicKey, request: Request, now: float) -> bool:
        """Whether the spoke said something new."""
        if not self.spokes.request(key, request, now):
            return False
        self._changed((key,), now)
        return True

    def claims(self, hub: PublicKey, claims: Iterable[Claim], now: float) -> None:
        self._changed(self.spokes.take_claims(hub, claims, now), now)

    def hub_restarted(self, hub: PublicKey, now: float) -> None:
        self._changed(self.spokes.hub_restarted(hub), now)

    def hubs_alive(self, hubs: Collection[PublicKey], now: float) -> None:
        self._changed(self.spokes.set_alive_hubs(hubs), now)

    def turn(self, now: float) -> list[tuple[Claim, ...]]:
        """Once per interval; what is to be told to the other hubs."""
        self._follow(self.spokes.sweep(now), now)
        self._turns += 1
        self._follow(self.spokes.claimed(self._turns % ROUND_INTERVALS), now)
        self._follow_sites(None, now)
        return self.spokes.own.turn(self._sites.gateways)

    def excuse(self, now: float) -> None:
        """Our own host stood still."""
        self.spokes.excuse(now)
        self._sites.excuse(now)

    def site_reports(self, now: float) -> list[SiteReport]:
        return self._sites.reports(now)

    def reports(self, now: float) -> list[SpokeReport]:
        found = []
        for key in self.spokes:
            route = self.spokes.route(key, now)
            is_heard = self.spokes.is_heard(key)
            hears_us = is_heard and self.spokes.hears_us(key, now)
            found.append(SpokeReport(key, is_heard, hears_us, route.via, route.reason.value))
        return found

    def _changed(self, keys: Collection[PublicKey], now: float) -> None:
        """Something new is known of these spokes."""
        self._follow(keys, now)
        self._follow_sites(keys, now)

    def _follow_sites(self, keys: Iterable[PublicKey] | None, now: float) -> None:
        """Those that these spokes are gateways of; None: all."""
        if self._sites.follow(keys, now):
            self._on_switched()

    def _follow(self, keys: Iterable[PublicKey], now: float) -> None:
        """Bring the groups of these spokes to where their packets are to go."""
        has_switched = False
        for key in keys:
            group = self._device.groups.get(self._names.get(key, ""))
            if group is not None and self._switch(key, group, self.spokes.route(key, now), now):
                has_switched = True
        if has_switched:
            self._on_switched()

    def _switch(self, key: PublicKey, group: Group, route: HubRoute, now: float) -> bool:
        to = key if route.via is None else route.via
        if group.active.public_key == to or all(member.public_key != to for member in group.members):
            return False
        self._device.switch(group, to, now)
        self._counters.switches["spoke", route.reason.value] += 1
        _log.info("spoke_route_switched", spoke=str(key), via=str(to), reason=route.reason.value)
        return True
