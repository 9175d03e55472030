# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Settings of the host that matter to us, from the registry."""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import winreg

_POWER = r"SYSTEM\CurrentControlSet\Control\Session Manager\Power"


def is_fast_startup_on() -> bool | None:
    """None where Windows does not say."""
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, _POWER) as key:
            return bool(winreg.QueryValueEx(key, "HiberbootEnabled")[0])
    except OSError:
        return None
