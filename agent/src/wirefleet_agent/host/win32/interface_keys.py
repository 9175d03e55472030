# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The registry's memory of an interface, also of one that is gone: its addresses and name servers."""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import contextlib
import winreg
from collections.abc import Sequence
from uuid import UUID

_FOLDERS = (
    r"SYSTEM\CurrentControlSet\Services\Tcpip\Parameters\Interfaces",
    r"SYSTEM\CurrentControlSet\Services\Tcpip6\Parameters\Interfaces",
)


class RegistryInterfaceKeys:
    """InterfaceKeys below HKEY_LOCAL_MACHINE."""

    def find(self, guid: UUID) -> Sequence[str]:
        return [path for folder in _FOLDERS if _exists(path := f"{folder}\\{{{guid}}}")]

    def remove(self, key: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            winreg.DeleteKey(winreg.HKEY_LOCAL_MACHINE, key)


def _exists(path: str) -> bool:
    try:
        winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path).Close()
    except FileNotFoundError:
        return False
    return True
