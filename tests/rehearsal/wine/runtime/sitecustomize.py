# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rehearsals under Wine only: leads calls of iphlpapi.dll that Wine cannot answer to a stand-in, wfiphlp.dll.so.

Python imports this file by itself when it starts. The agent knows nothing of it: it asks ctypes for iphlpapi.dll and
its functions as it does on Windows. See tests/rehearsal/wine/iphelper.
"""

from __future__ import annotations

import ctypes
from typing import Any

_LIBRARY = "iphlpapi"
_STAND_IN = "wfiphlp.dll.so"  # in system32: Wine finds a DLL that is an ELF file by its whole name
_REPLACED = frozenset(
    {
        "InitializeUnicastIpAddressEntry",
        "CreateUnicastIpAddressEntry",
        "DeleteUnicastIpAddressEntry",
        "GetUnicastIpAddressTable",
        "InitializeIpForwardEntry",
        "CreateIpForwardEntry2",
        "DeleteIpForwardEntry2",
        "GetIpForwardTable2",
        "InitializeIpInterfaceEntry",
        "GetIpInterfaceEntry",
        "SetIpInterfaceEntry",
        "GetIpInterfaceTable",
        "SetInterfaceDnsSettings",
        "NotifyIpInterfaceChange",
        "NotifyUnicastIpAddressChange",
        "NotifyRouteChange2",
        "CancelMibChangeNotify2",
    }
)
_WinDLL: Any = ctypes.WinDLL  # type: ignore[attr-defined]  # this file is for Windows's Python


class _Redirected(_WinDLL):  # type: ignore[misc]  # a class that is known at run time only
    """ctypes.WinDLL; of iphlpapi.dll, the functions above are the stand-in's."""

    def __init__(self, name: str | None, *arguments: Any, **options: Any) -> None:
        super().__init__(name, *arguments, **options)
        is_redirected = str(name).replace("\\", "/").rpartition("/")[2].lower().removesuffix(".dll") == _LIBRARY
        self._stand_in = _WinDLL(_STAND_IN) if is_redirected else None

    def __getitem__(self, name: str | int) -> Any:
        stand_in = self.__dict__.get("_stand_in")
        if stand_in is not None and name in _REPLACED:
            return stand_in[name]
        return super().__getitem__(name)


ctypes.WinDLL = _Redirected  # type: ignore[attr-defined]
