# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A visit to another network namespace, setns(2)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator

assert sys.platform != "win32"  # nothing below means anything there

_CLONE_NEWNET = 0x40000000
_OWN = "/proc/thread-self/ns/net"


@contextlib.contextmanager
def entered(namespace_fd: int) -> Iterator[None]:
    """This thread is in the namespace until the end of the block; sockets opened there stay there.

    Takes over ``namespace_fd`` and closes it. Raises OSError, mostly EPERM.
    """
    try:
        home = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        os.close(namespace_fd)
        raise
    try:
        _setns(namespace_fd)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(home)
        os.close(namespace_fd)


def _setns(fd: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, _CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
