# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Changes of a tunnel's files belong to its daemon; where none runs, to whoever holds its lock."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from ..errors import RefusedError
from .control_client import control_of
from .control_protocol import Json
from .file_lock import FileLock
from .paths import TunnelPaths

_BUSY_S = 5.0
_POLL_S = 0.1


def by_daemon_or_alone(
    tunnel: TunnelPaths, verb: str, request: Mapping[str, object], alone: Callable[[], Json]
) -> Json:
    """The daemon's reply; without a daemon that of ``alone``, called under the lock that keeps one from starting.

    Raises RefusedError if a daemon that is starting or stopping does not come to an end with it.
    """
    client, lock = control_of(tunnel), FileLock(tunnel.pid)
    limit = time.monotonic() + _BUSY_S
    while True:
        reply = client.try_call(verb, request)
        if reply is not None:
            return reply
        if lock.try_acquire():
            break
        if time.monotonic() >= limit:
            raise RefusedError("the daemon is starting or stopping", path=str(tunnel.pid), hint="try again")
        time.sleep(_POLL_S)
    with lock:
        return alone()
