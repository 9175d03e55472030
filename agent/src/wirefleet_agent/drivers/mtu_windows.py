# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The tunnel's MTU follows that of the way out: what carries its datagrams, minus what they add.

80 bytes: an outer IPv6 header (40), UDP (8), WireGuard's header and tag (32). The interface's default MTU is the most
that we take, because a LAN with jumbo frames says nothing about the path behind it.
"""

from __future__ import annotations

from typing import Protocol

from ..config import DEFAULT_MTU_BYTES
from .interfaces import UnderlayMonitor
from .iphelper import IpHelperApi, IpInterface

OVERHEAD_BYTES = 80
MIN_MTU_BYTES = {4: 576, 6: 1280}


def underlay_mtu(api: IpHelperApi, tunnel_luid: int) -> int | None:
    """The smallest MTU of the interfaces that hold the best default routes of IPv4 and IPv6; None without any.

    Raises Win32Error.
    """
    interfaces = {(known.luid, known.version): known for known in api.interfaces() if known.is_connected}
    best: dict[int, tuple[int, IpInterface]] = {}
    for route in api.default_routes():
        interface = interfaces.get((route.luid, route.prefix.version))
        if route.luid == tunnel_luid or interface is None:
            continue
        cost = route.metric + interface.metric
        if interface.version not in best or cost < best[interface.version][0]:
            best[interface.version] = (cost, interface)
    sizes = [interface.mtu_bytes for _, interface in best.values() if interface.mtu_bytes]
    return min(sizes, default=None)


def tunnel_mtu(underlay_bytes: int | None) -> int:
    """For IPv4; IPv6 never goes below its own floor."""
    if underlay_bytes is None:
        return DEFAULT_MTU_BYTES
    return max(MIN_MTU_BYTES[4], min(DEFAULT_MTU_BYTES, underlay_bytes - OVERHEAD_BYTES))


class FollowsUnderlay(Protocol):
    """What wants to know that the underlay may have changed."""

    def follow_underlay(self) -> None: ...


class MtuFollowingMonitor:
    """A monitor of the underlay that lets the tunnel's routes look at its MTU before it tells of a change."""

    def __init__(self, monitor: UnderlayMonitor, follower: FollowsUnderlay) -> None:
        self._monitor = monitor
        self._follower = follower

    def fileno(self) -> int:
        return self._monitor.fileno()

    def has_changed(self) -> bool:
        has_changed = self._monitor.has_changed()
        if has_changed:
            self._follower.follow_underlay()
        return has_changed

    def close(self) -> None:
        self._monitor.close()
