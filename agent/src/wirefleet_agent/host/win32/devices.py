# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Wintun's devices, also those that Windows only remembers.

Source: setupapi.h, cfgmgr32.h, newdev.h; "Accessing Device Properties" of Microsoft's documentation.
"""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
import winreg
from collections.abc import Iterator, Sequence
from ctypes import wintypes
from uuid import UUID

from ...errors import DriverError
from ..adapters import Adapter
from ..device_layouts import GUID_DEVCLASS_NET, DeviceInfo, problem_code

_ERROR_INSUFFICIENT_BUFFER = 122
_ERROR_NO_MORE_ITEMS = 259
_INVALID_HANDLE = ctypes.c_void_p(-1).value
_SPDRP_HARDWAREID = 1
_DICS_FLAG_GLOBAL = 1
_DIREG_DRV = 2
_CR_SUCCESS = 0
_TEXT_CHARACTERS = 1024
_HARDWARE_ID = "wintun"
_CONNECTIONS = r"SYSTEM\CurrentControlSet\Control\Network\{4D36E972-E325-11CE-BFC1-08002BE10318}"

_Handle, _Pointer = ctypes.c_void_p, ctypes.c_void_p
_setupapi = ctypes.WinDLL("setupapi.dll", use_last_error=True)
_cfgmgr = ctypes.WinDLL("cfgmgr32.dll", use_last_error=True)
_FUNCTIONS: tuple[tuple[ctypes.WinDLL, str, object, list[object]], ...] = (
    (_setupapi, "SetupDiGetClassDevsW", _Handle, [_Pointer, wintypes.LPCWSTR, wintypes.HWND, wintypes.DWORD]),
    (_setupapi, "SetupDiDestroyDeviceInfoList", wintypes.BOOL, [_Handle]),
    (_setupapi, "SetupDiEnumDeviceInfo", wintypes.BOOL, [_Handle, wintypes.DWORD, _Pointer]),
    (
        _setupapi,
        "SetupDiGetDeviceRegistryPropertyW",
        wintypes.BOOL,
        [_Handle, _Pointer, wintypes.DWORD, _Pointer, _Pointer, wintypes.DWORD, _Pointer],
    ),
    (
        _setupapi,
        "SetupDiGetDeviceInstanceIdW",
        wintypes.BOOL,
        [_Handle, _Pointer, wintypes.LPWSTR, wintypes.DWORD, _Pointer],
    ),
    (
        _setupapi,
        "SetupDiOpenDevRegKey",
        _Handle,
        [_Handle, _Pointer, wintypes.DWORD, wintypes.DWORD, wintypes.DWORD, wintypes.DWORD],
    ),
    (_cfgmgr, "CM_Get_DevNode_Status", wintypes.DWORD, [_Pointer, _Pointer, wintypes.DWORD, wintypes.ULONG]),
)
for _library, _name, _result, _arguments in _FUNCTIONS:
    _function = getattr(_library, _name)
    _function.restype, _function.argtypes = _result, _arguments


class WintunDevices:
    """An AdapterProbe."""

    def adapters(self) -> Sequence[Adapter]:
        with _DeviceList() as devices:
            return [devices.describe(device) for device in devices if devices.is_wintun(device)]

    def remove(self, instance_id: str) -> None:
        with _DeviceList() as devices:
            for device in devices:
                if devices.instance_id(device) == instance_id:
                    devices.uninstall(device)


class _DeviceList:
    """All network devices. Without DIGCF_PRESENT: ghosts as well."""

    def __enter__(self) -> _DeviceList:
        self._handle = _setupapi.SetupDiGetClassDevsW(ctypes.byref(GUID_DEVCLASS_NET), None, None, 0)
        if self._handle in (None, _INVALID_HANDLE):
            raise _failure("SetupDiGetClassDevs")
        return self

    def __exit__(self, *_error: object) -> None:
        _setupapi.SetupDiDestroyDeviceInfoList(self._handle)

    def __iter__(self) -> Iterator[DeviceInfo]:
        number = 0
        while True:
            device = DeviceInfo.empty()
            if not _setupapi.SetupDiEnumDeviceInfo(self._handle, number, ctypes.byref(device)):
                if ctypes.get_last_error() != _ERROR_NO_MORE_ITEMS:
                    raise _failure("SetupDiEnumDeviceInfo")
                return
            yield device
            number += 1

    def is_wintun(self, device: DeviceInfo) -> bool:
        """By its hardware id, a list of texts."""
        text = ctypes.create_unicode_buffer(_TEXT_CHARACTERS)
        size = ctypes.sizeof(text)
        if not _setupapi.SetupDiGetDeviceRegistryPropertyW(
            self._handle, ctypes.byref(device), _SPDRP_HARDWAREID, None, text, size, None
        ):
            return False
        return _HARDWARE_ID in ctypes.wstring_at(text, _TEXT_CHARACTERS).casefold().split("\0")

    def instance_id(self, device: DeviceInfo) -> str:
        text = ctypes.create_unicode_buffer(_TEXT_CHARACTERS)
        if not _setupapi.SetupDiGetDeviceInstanceIdW(self._handle, ctypes.byref(device), text, _TEXT_CHARACTERS, None):
            raise _failure("SetupDiGetDeviceInstanceId")
        return text.value

    def describe(self, device: DeviceInfo) -> Adapter:
        status, problem = wintypes.ULONG(), wintypes.ULONG()
        found = _cfgmgr.CM_Get_DevNode_Status(ctypes.byref(status), ctypes.byref(problem), device.dev_inst, 0)
        is_present = found == _CR_SUCCESS
        guid = self._interface_guid(device)
        name = "" if guid is None else _connection_name(guid)
        code = problem_code(status.value, problem.value) if is_present else 0
        return Adapter(self.instance_id(device), name, guid, is_present, code)

    def uninstall(self, device: DeviceInfo) -> None:
        newdev = ctypes.WinDLL("newdev.dll", use_last_error=True)
        newdev.DiUninstallDevice.argtypes = [wintypes.HWND, _Handle, _Pointer, wintypes.DWORD, _Pointer]
        newdev.DiUninstallDevice.restype = wintypes.BOOL
        needs_reboot = wintypes.BOOL()
        if not newdev.DiUninstallDevice(None, self._handle, ctypes.byref(device), 0, ctypes.byref(needs_reboot)):
            raise _failure("DiUninstallDevice")
        if needs_reboot.value:
            raise DriverError(
                "Windows takes the adapter away at the next reboot", call="DiUninstallDevice", hint="reboot"
            )

    def _interface_guid(self, device: DeviceInfo) -> UUID | None:
        handle = _setupapi.SetupDiOpenDevRegKey(
            self._handle, ctypes.byref(device), _DICS_FLAG_GLOBAL, 0, _DIREG_DRV, winreg.KEY_QUERY_VALUE
        )
        if handle in (None, _INVALID_HANDLE):
            return None
        try:
            text = str(winreg.QueryValueEx(handle, "NetCfgInstanceId")[0])
            return UUID(text.strip("{}"))
        except (OSError, ValueError):
            return None
        finally:
            winreg.CloseKey(handle)


def _connection_name(guid: UUID) -> str:
    path = f"{_CONNECTIONS}\\{{{str(guid).upper()}}}\\Connection"
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path) as key:
            return str(winreg.QueryValueEx(key, "Name")[0])
    except OSError:
        return ""


def _failure(call: str) -> DriverError:
    code = ctypes.get_last_error()
    return DriverError(ctypes.FormatError(code), call=call, os_code=code, hint="run as an administrator, elevated")
