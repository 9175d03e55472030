# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Settings of the host that matter to us, from the registry."""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import winreg

_CONTROL = r"SYSTEM\CurrentControlSet\Control"


def is_fast_startup_on() -> bool | None:
    """None where Windows does not say. Without hibernation, as on most servers, its own switch does nothing."""
    wanted = _value(rf"{_CONTROL}\Session Manager\Power", "HiberbootEnabled")
    can_hibernate = _value(rf"{_CONTROL}\Power", "HibernateEnabled")
    return None if wanted is None else bool(wanted) and can_hibernate != 0


def _value(path: str, name: str) -> int | None:
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path) as key:
            return int(winreg.QueryValueEx(key, name)[0])
    except (OSError, ValueError):
        return None
