# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Name servers of an interface where Windows has no call for them: before Windows Server 2022 and Windows 10 2004.

There they are values in the interface's key of the registry, per family, which the DNS client reads when it is told.
The connection's own suffix is the first search domain: older DNS clients know no list per interface.
Source: "TCP/IP and NBT configuration parameters" of Microsoft's documentation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from .win32_errors import Win32Error

_SERVICES = {4: "Tcpip", 6: "Tcpip6"}


class NameServerApi(Protocol):
    """The narrow part of Windows that this needs."""

    def write(self, key: str, values: dict[str, str]) -> None:
        """Texts of an existing key below HKEY_LOCAL_MACHINE. Raises OSError, FileNotFoundError if there is no key."""

    def tell_dns_client(self) -> None:
        """It reads its settings again and forgets what it has resolved. A failure is logged."""


class NameServers:
    """What IpHelperApi.set_dns does, by the registry."""

    def __init__(self, api: NameServerApi) -> None:
        self._api = api

    def set(self, guid: UUID, version: int, servers: Sequence[str], search: Sequence[str]) -> None:
        """guid: the interface's. Empty sequences take it back. Raises Win32Error, ERROR_FILE_NOT_FOUND if the
        interface does not have this family."""
        try:
            self._api.write(
                interface_key(guid, version),
                {"NameServer": ",".join(servers), "SearchList": ",".join(search), "Domain": next(iter(search), "")},
            )
        except OSError as error:
            raise Win32Error("RegSetValueEx", getattr(error, "winerror", None) or error.errno or 0) from error
        self._api.tell_dns_client()


def interface_key(guid: UUID, version: int) -> str:
    """Below HKEY_LOCAL_MACHINE."""
    return rf"SYSTEM\CurrentControlSet\Services\{_SERVICES[version]}\Parameters\Interfaces\{{{guid}}}"
