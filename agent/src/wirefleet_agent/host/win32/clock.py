# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The clock that runs on while the machine sleeps, and what tells one boot from another.

GetTickCount64 and not QueryUnbiasedInterruptTime: the latter stands still while the machine sleeps. Its 16 ms do not
matter for deadlines of seconds. After a start from hibernation ("fast startup") the kernel is the same: its ticks go
on, and so does the boot's id.

The id is the instant of the boot as the kernel noted it, without the clock steps made since, which the kernel adds to
both BootTime and BootTimeBias. If a Windows did not, a step would look like a reboot: then the wall clock counts,
which is what happens after a real one. Source: SYSTEM_TIMEOFDAY_INFORMATION as in the phnt headers.
"""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes

from ..boot_time_windows import SYSTEM_TIME_OF_DAY, SystemTimeOfDay

_kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
_kernel32.GetTickCount64.argtypes = ()
_kernel32.GetTickCount64.restype = ctypes.c_uint64
_ntdll = ctypes.WinDLL("ntdll")
_ntdll.NtQuerySystemInformation.argtypes = (ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p)
_ntdll.NtQuerySystemInformation.restype = ctypes.c_uint32


def boot_clock_s() -> float:
    """Seconds since the boot."""
    return float(_kernel32.GetTickCount64()) / 1000


def boot_id() -> str:
    """Differs per boot. Raises OSError."""
    found = SystemTimeOfDay()
    status = _ntdll.NtQuerySystemInformation(SYSTEM_TIME_OF_DAY, ctypes.byref(found), ctypes.sizeof(found), None)
    if status:
        raise OSError(f"NtQuerySystemInformation: status 0x{status:08x}")
    return found.boot_id()
