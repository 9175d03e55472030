# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What the engine knows, as the metrics want to see it."""

from __future__ import annotations

from ..engine.ha_loop import HaLoop
from ..engine.ha_settings import HubState
from ..observe.metrics import RedundancyView


def redundancy_view(tunnel: str, ha: HaLoop, state: HubState) -> RedundancyView:
    """A host is a hub if it has other hubs to relay over, or spokes."""
    relays, spokes = ha.relay_reports(), ha.spoke_reports()
    return RedundancyView(
        tunnel=tunnel,
        groups=ha.group_reports(),
        relays=relays,
        spokes=spokes if relays or spokes else None,
        spokes_using_us=ha.spokes_using_us,
        counters=ha.counters,
        epoch=state.epoch,
        is_draining=state.draining,
    )
