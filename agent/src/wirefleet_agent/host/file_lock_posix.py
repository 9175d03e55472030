# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""flock(2): belongs to the open file, is advisory, ends with the last descriptor."""

from __future__ import annotations

import sys

assert sys.platform != "win32"

import contextlib
import fcntl
import os
from pathlib import Path


def try_lock(descriptor: int) -> bool:
    """Exclusively; False if another has it in any way."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_locked(descriptor: int) -> bool:
    """Whether another has it exclusively. Nothing is locked afterwards that was not before, once it is closed."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def has_open(pid: int, path: Path) -> bool:
    """Whether the process has this file open."""
    try:
        ours = path.stat()
        descriptors = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            if os.path.samestat(descriptor.stat(), ours):
                return True
    return False
