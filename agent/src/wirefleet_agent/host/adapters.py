# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Network devices and addresses on Windows, as far as something of ours can be left over in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from ..drivers.interfaces import InterfaceAddress
from ..drivers.iphelper import IpHelperApi
from ..drivers.tun_windows import adapter_guid
from ..drivers.win32_errors import ERROR_NOT_FOUND, Win32Error
from .paths import TunnelPaths


@dataclass(frozen=True)
class Adapter:
    """A network device. name: of its connection; guid: of its interface, None where it has none any more.

    is_present: the device is there, not only remembered. problem_code: 0 is none.
    """

    instance_id: str
    name: str
    guid: UUID | None
    is_present: bool
    problem_code: int


class AdapterProbe(Protocol):
    """Wintun's devices of the whole machine. Raises DriverError."""

    def adapters(self) -> Sequence[Adapter]:
        """Ghosts too."""

    def remove(self, instance_id: str) -> None:
        """The device and all that Windows remembers of it."""


def is_ours(adapter: Adapter, tunnel: TunnelPaths) -> bool:
    """By its GUID; by its name only where Windows has forgotten the GUID."""
    return adapter.guid == adapter_guid(tunnel.name) or (
        adapter.guid is None and adapter.name.casefold() == tunnel.name.casefold()
    )


def stray_addresses(ip_helper: IpHelperApi) -> list[tuple[int, InterfaceAddress]]:
    """(luid, address) on interfaces that are down or gone. Raises DriverError."""
    try:
        alive = {each.luid for each in ip_helper.interfaces() if each.is_connected}
        return [(luid, address) for luid, address in ip_helper.addresses() if luid not in alive]
    except Win32Error as error:
        raise error.as_driver_error() from error


def remove_address(ip_helper: IpHelperApi, luid: int, address: InterfaceAddress) -> None:
    """Raises DriverError."""
    try:
        ip_helper.delete_address(luid, address)
    except Win32Error as error:
        if error.code != ERROR_NOT_FOUND:
            raise error.as_driver_error(path=str(address)) from error


def our_adapters(probe: AdapterProbe, tunnel: TunnelPaths) -> list[Adapter]:
    return [adapter for adapter in probe.adapters() if is_ours(adapter, tunnel)]
