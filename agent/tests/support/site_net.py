# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A ``HaNet`` with a LAN behind its first two spokes."""

from __future__ import annotations

from support.ha_hosts import Flow, HaHost, LanHost
from support.ha_net import HaNet


class SiteNet(HaNet):
    """Two gateways, and a spoke elsewhere."""

    @property
    def one(self) -> HaHost:
        return self.spokes[0]

    @property
    def two(self) -> HaHost:
        return self.spokes[1]

    @property
    def far(self) -> HaHost:
        return self.spokes[2]

    @property
    def site(self) -> LanHost:
        assert self.lan is not None
        return self.lan

    def to_site(self) -> Flow:
        return self.flow(self.far, self.site)

    def cut_off(self, hub: HaHost) -> None:
        """From both gateways."""
        for gateway in (self.one, self.two):
            self.cut(gateway, hub)

    def reasons(self, hub: HaHost) -> dict[str, int]:
        return {reason: count for (kind, reason), count in hub.ha.counters.switches.items() if kind == "site"}
