# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry of the prefix, through winreg. Binary data travel as lists of numbers."""

from __future__ import annotations

import sys
import winreg
from contextlib import suppress
from typing import Any

assert sys.platform == "win32"

HIVES = {
    "HKLM": winreg.HKEY_LOCAL_MACHINE,
    "HKCU": winreg.HKEY_CURRENT_USER,
    "HKCR": winreg.HKEY_CLASSES_ROOT,
    "HKU": winreg.HKEY_USERS,
    "HKCC": winreg.HKEY_CURRENT_CONFIG,
}
TYPES = {
    "none": winreg.REG_NONE,
    "binary": winreg.REG_BINARY,
    "dword": winreg.REG_DWORD,
    "expandstring": winreg.REG_EXPAND_SZ,
    "multistring": winreg.REG_MULTI_SZ,
    "string": winreg.REG_SZ,
    "qword": winreg.REG_QWORD,
}
_NAMES = {number: name for name, number in TYPES.items()}


def read_key(*, hive: str, key: str) -> dict[str, Any]:
    """Values {name: [type, data]} and names of subkeys."""
    try:
        with winreg.OpenKey(HIVES[hive], key) as handle:
            subkeys, values, _ = winreg.QueryInfoKey(handle)
            found = [winreg.EnumValue(handle, index) for index in range(values)]
            return {
                "exists": True,
                "values": {name: [_NAMES.get(kind, "none"), _plain(data)] for name, data, kind in found},
                "sub_keys": [winreg.EnumKey(handle, index) for index in range(subkeys)],
            }
    except FileNotFoundError:
        return {"exists": False, "values": {}, "sub_keys": []}


def _plain(data: Any) -> Any:
    return list(data) if isinstance(data, bytes) else data


def create_key(*, hive: str, key: str) -> dict[str, Any]:
    """A key and those above it."""
    winreg.CreateKey(HIVES[hive], key).Close()
    return {}


def set_value(*, hive: str, key: str, name: str, type: str, data: Any) -> dict[str, Any]:
    """One value of an existing key."""
    raw = bytes(data) if type in ("binary", "none") else data
    with winreg.OpenKey(HIVES[hive], key, 0, winreg.KEY_SET_VALUE) as handle:
        winreg.SetValueEx(handle, name, 0, TYPES[type], raw)
    return {}


def delete_value(*, hive: str, key: str, name: str) -> dict[str, Any]:
    """One value."""
    with winreg.OpenKey(HIVES[hive], key, 0, winreg.KEY_SET_VALUE) as handle:
        winreg.DeleteValue(handle, name)
    return {}


def delete_key(*, hive: str, key: str) -> dict[str, Any]:
    """A key with everything beneath it."""
    for name in read_key(hive=hive, key=key)["sub_keys"]:
        delete_key(hive=hive, key=f"{key}\\{name}")
    with suppress(FileNotFoundError):
        winreg.DeleteKey(HIVES[hive], key)
    return {}


OPERATIONS = {
    "key_read": read_key,
    "key_create": create_key,
    "key_delete": delete_key,
    "value_set": set_value,
    "value_delete": delete_value,
}
