# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What can go wrong with a request, and the number that tells it (checklist 43)."""

from __future__ import annotations

import errno
from enum import IntEnum

from ...errors import DriverError, RefusedError, UsageError


class Errno(IntEnum):
    """Linux's numbers, whatever the platform; they go out negative."""

    IO = 5
    INVALID = 22
    PROTOCOL = 71
    PORT_IN_USE = 98


class UapiError(UsageError):
    """A request that is not done. The message never quotes a value: it could be a key."""

    def __init__(self, message: str, *, errno: Errno = Errno.INVALID, path: str | None = None) -> None:
        super().__init__(message, path=path)
        self.errno = errno


def errno_of(error: Exception) -> Errno:
    """The number for an error of parsing or applying a set."""
    if isinstance(error, UapiError):
        return error.errno
    if isinstance(error, DriverError):
        is_taken = error.call == "bind" or error.os_code == errno.EADDRINUSE
        return Errno.PORT_IN_USE if is_taken else Errno.IO
    if isinstance(error, RefusedError):
        return Errno.INVALID
    return Errno.IO
