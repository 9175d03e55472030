# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The hub's side: follows the spokes' words and the other hubs' claims, and switches the spokes' groups."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import structlog

from ..core import Device, Group
from ..ha.claims import ROUND_INTERVALS
from ..ha.hub_routes import HubRoute
from ..ha.messages import Claim, Request
from ..ha.spokes import Spokes
from ..keys import PublicKey
from .ha_settings import HaCounters, SpokeReport

_log = structlog.get_logger(room="engine")


class HubSide:
    """Of one tunnel; ``set_groups`` says which groups of the device are spokes': those with a direct member.

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
        self._misses = misses
        self._counters = counters
        self._on_switched = on_switched
        self._names: dict[PublicKey, str] = {}
        self._turns = 0
        self.spokes = Spokes(me, (), interval_s=interval_s, misses=misses, now=now)

    def __contains__(self, key: object) -> bool:
        return key in self._names

    @property
    def using_us(self) -> int:
        """How many spokes are heard and say that they use this hub."""
        return self.spokes.own.count

    def set_groups(self, groups: Iterable[Group], now: float) -> None:
        """Exactly these from now on."""
        self._names = {group.direct.public_key: group.name for group in groups if group.direct is not None}
        self.spokes.set_spokes(self._names, now)
        self._follow(self._names, now)

    def request(self, key: PublicKey, request: Request, now: float) -> bool:
        """Whether the spoke said something new."""
        if not self.spokes.request(key, request, now):
            return False
        self._follow((key,), now)
        return True

    def claims(self, hub: PublicKey, claims: Iterable[Claim], now: float) -> None:
        self._follow(self.spokes.take_claims(hub, claims, now), now)

    def hub_restarted(self, hub: PublicKey, now: float) -> None:
        self._follow(self.spokes.hub_restarted(hub), now)

    def hubs_alive(self, hubs: Collection[PublicKey], now: float) -> None:
        self._follow(self.spokes.set_alive_hubs(hubs), now)

    def turn(self, now: float) -> None:
        """Once per interval."""
        self._follow(self.spokes.sweep(now), now)
        self._turns += 1
        self._follow(self.spokes.claimed(self._turns % ROUND_INTERVALS), now)

    def reports(self, now: float) -> list[SpokeReport]:
        found = []
        for key in self._names:
            route = self.spokes.route(key, now)
            is_heard = self.spokes.is_heard(key)
            hears_us = is_heard and self.spokes.hears_us(key, self._misses)
            found.append(SpokeReport(key, is_heard, hears_us, route.via, route.reason.value))
        return found

    def _follow(self, keys: Iterable[PublicKey], now: float) -> None:
        """Bring the groups of these spokes to where their packets are to go."""
        has_switched = False
        for key in keys:
            group = self._device.groups.get(self._names[key])
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
