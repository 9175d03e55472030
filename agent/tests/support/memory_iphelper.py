# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""An IP Helper in memory that refuses what Windows refuses, and records what it was asked to change."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from wirefleet_agent.drivers.interfaces import InterfaceAddress, Prefix
from wirefleet_agent.drivers.iphelper import InterfaceSettings, IpInterface, IpRoute
from wirefleet_agent.drivers.win32_errors import (
    ERROR_INVALID_PARAMETER,
    ERROR_NOT_FOUND,
    ERROR_OBJECT_ALREADY_EXISTS,
    Win32Error,
)

LOOPBACK, LAN, TUNNEL, DEAD = 24 << 48 | 1, 6 << 48 | 2, 53 << 48 | 3, 53 << 48 | 4
_MIN_MTU_BYTES = {4: 352, 6: 1280}


class MemoryIpHelper:
    """See IpHelperApi. A host with loopback, a LAN that holds the default routes, and a tunnel's adapter."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.known = {
            (luid, version): IpInterface(luid, version, metric=metric, mtu_bytes=mtu_bytes)
            for luid, metric, mtu_bytes in ((LOOPBACK, 75, 65535), (LAN, 25, 1500), (TUNNEL, 5, 65535))
            for version in (4, 6)
        }
        self.held: list[tuple[int, InterfaceAddress]] = []
        self.table: list[IpRoute] = []
        self.dns: dict[tuple[int, int], tuple[tuple[str, ...], tuple[str, ...]]] = {}
        self.prepared: set[tuple[int, int]] = set()
        self.dns_error = 0
        self._watchers: list[Callable[[], None]] = []

    def change(self, luid: int, version: int, **values: object) -> None:
        """An operator, or a cable, changes an interface."""
        self.known[luid, version] = dataclasses.replace(self.known[luid, version], **values)  # type: ignore[arg-type]
        self.tell()

    def remove(self, luid: int) -> None:
        """The adapter goes; its addresses stay behind, as they may on Windows."""
        for version in (4, 6):
            self.known.pop((luid, version), None)
        self.table = [route for route in self.table if route.luid != luid]
        self.tell()

    def tell(self) -> None:
        for watcher in list(self._watchers):
            watcher()

    def interfaces(self) -> list[IpInterface]:
        return list(self.known.values())

    def set_interface(self, luid: int, version: int, settings: InterfaceSettings) -> None:
        self._need("GetIpInterfaceEntry", luid, version)
        if settings.mtu_bytes is not None and settings.mtu_bytes < _MIN_MTU_BYTES[version]:
            raise Win32Error("SetIpInterfaceEntry", ERROR_INVALID_PARAMETER)
        self.calls.append(("set_interface", luid, version, settings))
        changes = {
            "metric": settings.metric,
            "mtu_bytes": settings.mtu_bytes,
            "is_forwarding": settings.is_forwarding,
        }
        if settings.is_tunnel:
            self.prepared.add((luid, version))
        self.change(luid, version, **{name: value for name, value in changes.items() if value is not None})

    def addresses(self) -> list[tuple[int, InterfaceAddress]]:
        return list(self.held)

    def create_address(self, luid: int, address: InterfaceAddress) -> None:
        self._need("CreateUnicastIpAddressEntry", luid, address.version)
        if any(held.ip == address.ip for _, held in self.held):
            raise Win32Error("CreateUnicastIpAddressEntry", ERROR_OBJECT_ALREADY_EXISTS)
        self.calls.append(("create_address", luid, address))
        self.held.append((luid, address))
        self.table.append(IpRoute(luid, address.network, is_asked_for=False))
        self.tell()

    def delete_address(self, luid: int, address: InterfaceAddress) -> None:
        found = [(known, held) for known, held in self.held if known == luid and held.ip == address.ip]
        if not found:
            raise Win32Error("DeleteUnicastIpAddressEntry", ERROR_NOT_FOUND)
        self.calls.append(("delete_address", luid, address))
        self.held.remove(found[0])
        own = IpRoute(luid, found[0][1].network, is_asked_for=False)
        if own in self.table:
            self.table.remove(own)
        self.tell()

    def routes(self) -> list[IpRoute]:
        return list(self.table)

    def default_routes(self) -> list[IpRoute]:
        return [route for route in self.table if not route.prefix.prefixlen]

    def create_route(self, luid: int, prefix: Prefix, metric: int) -> None:
        self._need("CreateIpForwardEntry2", luid, prefix.version)
        if any(route.luid == luid and route.prefix == prefix and route.is_asked_for for route in self.table):
            raise Win32Error("CreateIpForwardEntry2", ERROR_OBJECT_ALREADY_EXISTS)
        self.calls.append(("create_route", luid, prefix))
        self.table.append(IpRoute(luid, prefix, metric))
        self.tell()

    def delete_route(self, luid: int, prefix: Prefix) -> None:
        found = [route for route in self.table if route.luid == luid and route.prefix == prefix and route.is_asked_for]
        if not found:
            raise Win32Error("DeleteIpForwardEntry2", ERROR_NOT_FOUND)
        self.calls.append(("delete_route", luid, prefix))
        self.table.remove(found[0])
        self.tell()

    def set_dns(self, luid: int, version: int, servers: Sequence[str], search: Sequence[str]) -> None:
        if self.dns_error:
            raise Win32Error("SetInterfaceDnsSettings", self.dns_error)
        self._need("SetInterfaceDnsSettings", luid, version)
        self.calls.append(("set_dns", luid, version, tuple(servers), tuple(search)))
        self.dns[luid, version] = (tuple(servers), tuple(search))

    def watch(self, on_change: Callable[[], None]) -> _Subscription:
        self._watchers.append(on_change)
        return _Subscription(self._watchers, on_change)

    @property
    def watchers(self) -> int:
        return len(self._watchers)

    def _need(self, call: str, luid: int, version: int) -> None:
        if (luid, version) not in self.known:
            raise Win32Error(call, ERROR_NOT_FOUND)


class _Subscription:
    def __init__(self, watchers: list[Callable[[], None]], on_change: Callable[[], None]) -> None:
        self._watchers = watchers
        self._on_change = on_change

    def close(self) -> None:
        if self._on_change in self._watchers:
            self._watchers.remove(self._on_change)
