# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""An OSError as the DriverError it becomes: the call, the code, and a hint where we know one."""

from __future__ import annotations

import errno
import os

from ..errors import DriverError

_HINTS = {
    errno.EPERM: "run it as root, or with CAP_NET_ADMIN",
    errno.EACCES: "run it as root, or with CAP_NET_ADMIN",
    errno.EADDRINUSE: "another program uses this port or name",
    errno.EBUSY: "another program holds this interface",
    errno.ENOENT: None,
}


def driver_error(call: str, error: OSError, *, path: str | None = None, hint: str | None = None) -> DriverError:
    """For ``raise driver_error("bind", error) from error``."""
    code = error.errno or 0
    return DriverError(
        os.strerror(code) if code else str(error),
        call=call,
        os_code=code,
        path=path,
        hint=hint or _HINTS.get(code),
    )
