# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""LockFileEx: belongs to the open file, ends with its last handle or with the process.

It is mandatory, so it covers one byte far behind the end: the holder's number at the start stays readable for others.
Source: learn.microsoft.com, LockFileEx ("Locking a region that goes beyond the current end-of-file is not an error").
"""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import msvcrt

import pywintypes
import win32con
import win32file
import winerror

_LOCKED_BYTE = 1 << 30
_TAKEN = frozenset({winerror.ERROR_LOCK_VIOLATION, winerror.ERROR_IO_PENDING})


def try_lock(descriptor: int) -> bool:
    """Exclusively; False if another has it in any way."""
    return _lock(descriptor, win32con.LOCKFILE_EXCLUSIVE_LOCK)


def is_locked(descriptor: int) -> bool:
    """Whether another has it exclusively. The shared lock of the attempt ends when the descriptor is closed."""
    return not _lock(descriptor, 0)


def _lock(descriptor: int, kind: int) -> bool:
    where = pywintypes.OVERLAPPED()
    where.Offset = _LOCKED_BYTE
    flags = kind | win32con.LOCKFILE_FAIL_IMMEDIATELY
    try:
        win32file.LockFileEx(msvcrt.get_osfhandle(descriptor), flags, 1, 0, where)
    except pywintypes.error as error:
        if error.winerror in _TAKEN:
            return False
        raise OSError(0, error.strerror, None, error.winerror) from error
    return True
