# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""iphlpapi.dll by ctypes. Source: learn.microsoft.com, netioapi.h."""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
from collections.abc import Callable, Iterator, Sequence
from ctypes import wintypes
from typing import Any, TypeVar

from ...errors import DriverError
from ..interfaces import InterfaceAddress, Prefix
from ..iphelper import InterfaceSettings, IpInterface, IpRoute
from ..iphelper_layouts import (
    DNS_INTERFACE_SETTINGS_VERSION1,
    DNS_SETTING_IPV6,
    DNS_SETTING_NAMESERVER,
    DNS_SETTING_SEARCHLIST,
    PROTOCOL_NETMGMT,
    ROUTER_DISCOVERY_DISABLED,
    DnsInterfaceSettings,
    Guid,
    IpForwardRow2,
    IpForwardTable2,
    IpInterfaceRow,
    IpInterfaceTable,
    UnicastIpAddressRow,
    UnicastIpAddressTable,
    family_of,
    version_of,
)
from ..name_servers import NameServers
from ..win32_errors import ERROR_NOT_FOUND, Win32Error
from .name_servers import RegistryNameServers

Row = TypeVar("Row", bound=ctypes.Structure)

_AF_UNSPEC = 0
_MAX_SITE_PREFIX_LENGTH = {4: 32, 6: 128}
_Callback = ctypes.WINFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
_NOTIFICATIONS = ("NotifyIpInterfaceChange", "NotifyUnicastIpAddressChange", "NotifyRouteChange2")
_POINTER = ctypes.c_void_p

# name, result, arguments. An error is the result itself: these functions do not set GetLastError().
_FUNCTIONS: tuple[tuple[str, Any, list[Any]], ...] = (
    ("GetIpInterfaceTable", wintypes.DWORD, [wintypes.USHORT, _POINTER]),
    ("GetIpInterfaceEntry", wintypes.DWORD, [_POINTER]),
    ("SetIpInterfaceEntry", wintypes.DWORD, [_POINTER]),
    ("InitializeIpInterfaceEntry", None, [_POINTER]),
    ("GetUnicastIpAddressTable", wintypes.DWORD, [wintypes.USHORT, _POINTER]),
    ("InitializeUnicastIpAddressEntry", None, [_POINTER]),
    ("CreateUnicastIpAddressEntry", wintypes.DWORD, [_POINTER]),
    ("DeleteUnicastIpAddressEntry", wintypes.DWORD, [_POINTER]),
    ("GetIpForwardTable2", wintypes.DWORD, [wintypes.USHORT, _POINTER]),
    ("InitializeIpForwardEntry", None, [_POINTER]),
    ("CreateIpForwardEntry2", wintypes.DWORD, [_POINTER]),
    ("DeleteIpForwardEntry2", wintypes.DWORD, [_POINTER]),
    ("ConvertInterfaceLuidToGuid", wintypes.DWORD, [_POINTER, _POINTER]),
    ("FreeMibTable", None, [_POINTER]),
    ("CancelMibChangeNotify2", wintypes.DWORD, [wintypes.HANDLE]),
    *(
        (name, wintypes.DWORD, [wintypes.USHORT, _Callback, _POINTER, wintypes.BOOLEAN, _POINTER])
        for name in _NOTIFICATIONS
    ),
)


def load_ip_helper() -> IpHelper:
    """The system's own DLL. Raises DriverError where it lacks what a tunnel needs."""
    try:
        return IpHelper(ctypes.WinDLL("iphlpapi.dll", winmode=0x800))  # LOAD_LIBRARY_SEARCH_SYSTEM32
    except AttributeError as error:
        hint = "Windows Server 2016 or later is needed"
        raise DriverError(str(error), call="GetProcAddress", path="iphlpapi.dll", hint=hint) from error


class IpHelper:
    """See IpHelperApi."""

    def __init__(self, library: ctypes.WinDLL) -> None:
        self._library = library
        self._functions = {name: _declared(library, name, *types) for name, *types in _FUNCTIONS}

    def interfaces(self) -> list[IpInterface]:
        return [
            IpInterface(
                luid=row.interface_luid,
                version=version_of(row.family),
                is_connected=bool(row.connected),
                is_forwarding=bool(row.forwarding_enabled),
                metric=row.metric,
                mtu_bytes=row.nl_mtu,
            )
            for row in self._rows("GetIpInterfaceTable", IpInterfaceTable, IpInterfaceRow)
        ]

    def set_interface(self, luid: int, version: int, settings: InterfaceSettings) -> None:
        row = IpInterfaceRow()
        self._functions["InitializeIpInterfaceEntry"](ctypes.byref(row))
        row.family, row.interface_luid = family_of(version), luid
        self._call("GetIpInterfaceEntry", ctypes.byref(row))
        # What Get returns Set may refuse: the length is meaningless here, and 64 is too long for IPv4.
        row.site_prefix_length = 0 if version == 4 else min(row.site_prefix_length, _MAX_SITE_PREFIX_LENGTH[6])
        if settings.is_tunnel:
            row.use_automatic_metric = 0
            row.dad_transmits = 0
            row.router_discovery_behavior = ROUTER_DISCOVERY_DISABLED
            row.managed_address_configuration_supported = 0
            row.other_stateful_configuration_supported = 0
        if settings.metric is not None:
            row.metric = settings.metric
        if settings.mtu_bytes is not None:
            row.nl_mtu = settings.mtu_bytes
        if settings.is_forwarding is not None:
            row.forwarding_enabled = settings.is_forwarding
        self._call("SetIpInterfaceEntry", ctypes.byref(row))

    def addresses(self) -> list[tuple[int, InterfaceAddress]]:
        rows = self._rows("GetUnicastIpAddressTable", UnicastIpAddressTable, UnicastIpAddressRow)
        return [(row.interface_luid, row.get()) for row in rows]

    def create_address(self, luid: int, address: InterfaceAddress) -> None:
        row = UnicastIpAddressRow()
        self._functions["InitializeUnicastIpAddressEntry"](ctypes.byref(row))
        row.set(luid, address)
        self._call("CreateUnicastIpAddressEntry", ctypes.byref(row))

    def delete_address(self, luid: int, address: InterfaceAddress) -> None:
        row = UnicastIpAddressRow()
        self._functions["InitializeUnicastIpAddressEntry"](ctypes.byref(row))
        row.set(luid, address)
        self._call("DeleteUnicastIpAddressEntry", ctypes.byref(row))

    def routes(self) -> list[IpRoute]:
        return [_route_of(row) for row in self._rows("GetIpForwardTable2", IpForwardTable2, IpForwardRow2)]

    def default_routes(self) -> list[IpRoute]:
        rows = self._rows("GetIpForwardTable2", IpForwardTable2, IpForwardRow2)
        return [_route_of(row) for row in rows if not row.destination.length]

    def create_route(self, luid: int, prefix: Prefix, metric: int) -> None:
        self._call("CreateIpForwardEntry2", ctypes.byref(self._route_row(luid, prefix, metric)))

    def delete_route(self, luid: int, prefix: Prefix) -> None:
        self._call("DeleteIpForwardEntry2", ctypes.byref(self._route_row(luid, prefix, 0)))

    def set_dns(self, luid: int, version: int, servers: Sequence[str], search: Sequence[str]) -> None:
        guid = Guid()
        self._call("ConvertInterfaceLuidToGuid", ctypes.byref(ctypes.c_uint64(luid)), ctypes.byref(guid))
        try:
            function = self._library["SetInterfaceDnsSettings"]
        except AttributeError:  # before Windows Server 2022
            NameServers(RegistryNameServers()).set(guid.value, version, servers, search)
            return
        function.restype, function.argtypes = wintypes.DWORD, [Guid, _POINTER]
        settings = DnsInterfaceSettings(
            version=DNS_INTERFACE_SETTINGS_VERSION1,
            flags=DNS_SETTING_NAMESERVER | DNS_SETTING_SEARCHLIST | (DNS_SETTING_IPV6 if version == 6 else 0),
            name_server=",".join(servers),
            search_list=",".join(search),
        )
        code: int = function(guid, ctypes.byref(settings))
        if code:
            raise Win32Error("SetInterfaceDnsSettings", code)

    def watch(self, on_change: Callable[[], None]) -> _Watch:
        return _Watch(self._functions, on_change)

    def _route_row(self, luid: int, prefix: Prefix, metric: int) -> IpForwardRow2:
        row = IpForwardRow2()
        self._functions["InitializeIpForwardEntry"](ctypes.byref(row))
        row.set(luid, prefix, metric)
        return row

    def _rows(self, name: str, table: Any, row: type[Row]) -> Iterator[Row]:
        """Copies of the rows of one of the system's tables. A family that the host does not have has none."""
        address = ctypes.c_void_p()
        try:
            self._call(name, _AF_UNSPEC, ctypes.byref(address))
        except Win32Error as error:
            if error.code == ERROR_NOT_FOUND:
                return
            raise
        try:
            assert address.value is not None
            count = ctypes.c_uint32.from_address(address.value).value
            copies = (row * count).from_buffer_copy((row * count).from_address(address.value + table.rows.offset))
        finally:
            self._functions["FreeMibTable"](address)
        yield from copies

    def _call(self, name: str, *arguments: object) -> None:
        code: int = self._functions[name](*arguments)
        if code:
            raise Win32Error(name, code)


class _Watch:
    """Keeps the callback alive until the system has forgotten it: a thread of the system jumps into it."""

    def __init__(self, functions: dict[str, Any], on_change: Callable[[], None]) -> None:
        self._cancel = functions["CancelMibChangeNotify2"]
        self._callback = _Callback(lambda _context, _row, _kind: on_change())
        self._handles: list[ctypes.c_void_p] = []
        for name in _NOTIFICATIONS:
            handle = ctypes.c_void_p()
            code: int = functions[name](_AF_UNSPEC, self._callback, None, False, ctypes.byref(handle))
            if code:
                self.close()
                raise Win32Error(name, code)
            self._handles.append(handle)

    def close(self) -> None:
        while self._handles:
            self._cancel(self._handles.pop())


def _route_of(row: IpForwardRow2) -> IpRoute:
    return IpRoute(row.interface_luid, row.prefix(), row.metric, row.protocol == PROTOCOL_NETMGMT)


def _declared(library: ctypes.WinDLL, name: str, result: object, arguments: list[Any]) -> Any:
    function = getattr(library, name)
    function.restype = result
    function.argtypes = arguments
    return function
