# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The sites of a hub: follows what is known of their gateways, and switches their groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import structlog

from ..core import Device, Group
from ..ha.site_routes import SiteReason, SiteRoute
from ..ha.sites import Sites
from ..ha.spokes import Spokes
from ..keys import PublicKey
from .ha_settings import GatewayReport, HaCounters, SiteReport

_log = structlog.get_logger(room="engine")


class SiteKeeper:
    """Of one tunnel. Which gateway is in use, and over which hub, is what the site's group says.

    Groups are known by their names: others may have made one anew, as ``wg setconf`` does, or taken a gateway out.
    """

    def __init__(self, device: Device, spokes: Spokes, patience_s: float, counters: HaCounters) -> None:
        self._device = device
        self._spokes = spokes
        self._counters = counters
        self._sites = Sites(spokes, patience_s)
        self._names: dict[str, SiteReason] = {}
        self._keys: dict[str, tuple[PublicKey, ...]] = {}
        self._of_gateway: dict[PublicKey, list[str]] = {}
        self._switches: Counter[str] = Counter()
        self.gateways: Sequence[PublicKey] = ()

    def set_groups(self, groups: Iterable[Group]) -> None:
        """Exactly these from now on. ``gateways`` are all of theirs, each once."""
        before = self._keys
        self._keys = {group.name: tuple(peer.public_key for peer in group.gateways) for group in groups}
        self._names = {name: self._names.get(name, SiteReason.IN_USE) for name in self._keys}
        self._of_gateway = {}
        for name, keys in self._keys.items():
            for key in keys:
                self._of_gateway.setdefault(key, []).append(name)
        self.gateways = tuple(self._of_gateway)
        self._sites.keep([name for name, keys in self._keys.items() if before.get(name) == keys])

    def excuse(self, now: float) -> None:
        """Our own host stood still."""
        self._sites.excuse(now)

    def follow(self, keys: Iterable[PublicKey] | None, now: float) -> bool:
        """Look at the sites of these gateways, None: at all. Whether one was switched."""
        names = self._names if keys is None else {name for key in keys for name in self._of_gateway.get(key, ())}
        has_switched = False
        for name in tuple(names):
            group = self._device.groups.get(name)
            if group is None:
                self._sites.forget(name)  # others ended it
            elif self._follow(group, now):
                has_switched = True
        return has_switched

    def reports(self, now: float) -> list[SiteReport]:
        found = []
        for name, reason in self._names.items():
            group = self._device.groups.get(name)
            if group is None or group.direct is None:
                continue
            via = None if group.active in group.gateways else group.active.public_key
            gateways = tuple(self._gateway_report(peer.public_key, now) for peer in group.gateways)
            since_s, switches = now - group.since, self._switches[name]
            found.append(SiteReport(name, group.direct.public_key, via, reason.value, since_s, switches, gateways))
        return found

    def _gateway_report(self, key: PublicKey, now: float) -> GatewayReport:
        is_heard = key in self._spokes and self._spokes.is_heard(key)
        return GatewayReport(
            key, is_heard, is_heard and self._spokes.hears_us(key, now), self._spokes.is_well(key, now)
        )

    def _follow(self, group: Group, now: float) -> bool:
        direct, active = group.direct, group.active
        if direct is None or not group.gateways:
            return False  # others made it another one
        in_use = direct.public_key
        if active is direct and self._sites.is_settled(group.name, in_use, now):
            self._names[group.name] = SiteReason.IN_USE
            return False
        gateways = [peer.public_key for peer in group.gateways]
        via = None if active.public_key in gateways else active.public_key
        route = self._sites.route(group.name, gateways, in_use, via, now)
        self._names[group.name] = route.reason
        return self._switch(group, in_use, via, route, now)

    def _switch(self, group: Group, in_use: PublicKey, via: PublicKey | None, route: SiteRoute, now: float) -> bool:
        to = route.gateway if route.via is None else route.via
        if (group.active.public_key, in_use) == (to, route.gateway):
            return False
        if all(member.public_key != to for member in group.members):
            return False
        self._device.switch(group, to, now, direct=route.gateway)
        self._switches[group.name] += 1
        self._counters.switches["site", route.reason.value] += 1
        reason = route.reason.value
        if route.gateway != in_use:
            _log.warning(
                "site_gateway_switched", site=group.name, before=str(in_use), after=str(route.gateway), reason=reason
            )
        if route.via != via:
            _log.warning("site_route_switched", site=group.name, via=str(to), reason=reason)
        return True
