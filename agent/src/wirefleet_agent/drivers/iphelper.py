# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What the drivers ask of Windows's IP Helper, in Python's words; the binding and the tests' fake both speak it.

All calls raise Win32Error. version: 4 or 6. luid: the interface, which Windows never gives to another one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from .interfaces import InterfaceAddress, Prefix


@dataclass(frozen=True)
class IpInterface:
    """One family of one interface. mtu_bytes: of IP packets."""

    luid: int
    version: int
    is_connected: bool = True
    is_forwarding: bool = False
    metric: int = 0
    mtu_bytes: int = 1500


@dataclass(frozen=True)
class IpRoute:
    """metric: to be added to the interface's. is_asked_for: by an operator or a program, not the system's own."""

    luid: int
    prefix: Prefix
    metric: int = 0
    is_asked_for: bool = True


@dataclass(frozen=True)
class InterfaceSettings:
    """What to set; None leaves it as it is. is_tunnel: no automatic metric, address detection or router discovery."""

    is_tunnel: bool = False
    metric: int | None = None
    mtu_bytes: int | None = None
    is_forwarding: bool | None = None


class Watch(Protocol):
    """A subscription."""

    def close(self) -> None:
        """No callback runs any more when this returns. Not from a callback. Idempotent."""


class IpHelperApi(Protocol):
    """The narrow part of iphlpapi.dll that tunnels need."""

    def interfaces(self) -> list[IpInterface]:
        """Every family of every interface that is present."""

    def set_interface(self, luid: int, version: int, settings: InterfaceSettings) -> None:
        """ERROR_NOT_FOUND: the interface is gone, or does not have this family."""

    def addresses(self) -> list[tuple[int, InterfaceAddress]]:
        """(luid, address) of all interfaces, also of those that are no longer present."""

    def create_address(self, luid: int, address: InterfaceAddress) -> None:
        """ERROR_OBJECT_ALREADY_EXISTS: this or another interface has it."""

    def delete_address(self, luid: int, address: InterfaceAddress) -> None:
        """ERROR_NOT_FOUND."""

    def routes(self) -> list[IpRoute]: ...

    def default_routes(self) -> list[IpRoute]:
        """Only those; cheap, however many others there are."""

    def create_route(self, luid: int, prefix: Prefix, metric: int) -> None:
        """On-link. ERROR_OBJECT_ALREADY_EXISTS: this interface has it."""

    def delete_route(self, luid: int, prefix: Prefix) -> None:
        """The on-link one. ERROR_NOT_FOUND."""

    def set_dns(self, luid: int, version: int, servers: Sequence[str], search: Sequence[str]) -> None:
        """servers: of this version. Empty sequences take it back."""

    def watch(self, on_change: Callable[[], None]) -> Watch:
        """Call ``on_change``, on threads of the system, after a change of interfaces, addresses or routes."""
