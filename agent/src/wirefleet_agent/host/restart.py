# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""``daemon restart``: stop and start, also by a process that outlives whoever asked for it.

The connection that asks may run through this very tunnel. So the detached restart is done by a process outside the
caller's session, which waits a moment for the answer to leave, and writes down what became of it.
"""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self

from ..errors import UsageError, WireFleetError
from .control_protocol import Json
from .paths import TunnelPaths
from .restart_record import RestartRecord

PROGRAM = ("-I", "-m", "wirefleet_agent")
GRACE_S = 1.0
_START_LIMIT_S = 75.0
_ID_DIGITS = 16


@dataclass(frozen=True)
class RestartOrder:
    """timeout_s: for the stop, and if is_waiting for the stored configuration to be applied."""

    restart_id: str
    timeout_s: float
    is_waiting: bool

    @classmethod
    def new(cls, timeout_s: float, *, is_waiting: bool) -> Self:
        return cls(secrets.token_hex(_ID_DIGITS // 2), timeout_s, is_waiting)

    @classmethod
    def from_json(cls, request: Mapping[str, object]) -> Self:
        """Raises UsageError."""
        restart_id, timeout_s, wait = (request.get(name) for name in ("id", "timeout_s", "wait"))
        if not is_restart_id(restart_id) or not isinstance(timeout_s, int | float) or not isinstance(wait, bool):
            raise UsageError("this is not an order to restart")
        return cls(str(restart_id), float(timeout_s), wait)

    def as_dict(self) -> Json:
        return {"id": self.restart_id, "timeout_s": self.timeout_s, "wait": self.is_waiting}

    @property
    def wait_s(self) -> float | None:
        return self.timeout_s if self.is_waiting else None

    @property
    def limit_s(self) -> float:
        """Longer than it can take: whoever finds it running after that may take it for dead."""
        return GRACE_S + self.timeout_s + _START_LIMIT_S + (self.wait_s or 0.0)

    def command(self, tunnel: TunnelPaths, python: str | None = None) -> list[str]:
        """Carries it out. python: of the agent that does so; None is our own."""
        words = [python or sys.executable, *PROGRAM, "--root", str(tunnel.host.root), "--tunnel", tunnel.name]
        words += ["daemon", "restart", "--id", self.restart_id]
        words += ["--timeout", f"{self.timeout_s:g}"]
        return [*words, "--wait"] if self.is_waiting else words


class DaemonControl(Protocol):
    """Starts and stops one tunnel's daemon."""

    def start(self, *, wait_s: float | None, check: bool = False) -> Json:
        """``changed``, ``running``, ``pid``. wait_s: also wait so long until the stored configuration is applied.

        Raises UnreachableError with the daemon's own last word.
        """

    def stop(self, *, timeout_s: float = 30.0, check: bool = False) -> Json:
        """``changed``, ``running``, ``pid``. Idempotent."""

    def spawn_restart(self, order: RestartOrder) -> None:
        """Have it carried out by a process that outlives the caller's session. Raises DriverError."""


def is_restart_id(value: object) -> bool:
    return isinstance(value, str) and len(value) == _ID_DIGITS and set(value) <= set("0123456789abcdef")


def restart(daemon: DaemonControl, record: RestartRecord, order: RestartOrder) -> Json:
    """The outcome is on record before this returns or raises."""
    record.begin(order.restart_id, limit_s=order.limit_s)
    try:
        daemon.stop(timeout_s=order.timeout_s)
        reply = daemon.start(wait_s=order.wait_s)
    except WireFleetError as error:
        record.end(order.restart_id, error)
        raise
    record.end(order.restart_id, None)
    return reply | {"changed": True}


def restart_detached(daemon: DaemonControl, record: RestartRecord, order: RestartOrder) -> None:
    """Returns at once; the outcome comes on record. Raises DriverError if nothing was begun."""
    record.begin(order.restart_id, limit_s=order.limit_s)
    try:
        daemon.spawn_restart(order)
    except WireFleetError as error:
        record.end(order.restart_id, error)
        raise


def let_the_answer_leave() -> None:
    """Before a detached restart cuts the way that its answer takes."""
    time.sleep(GRACE_S)


def daemon_of(tunnel: TunnelPaths) -> DaemonControl:
    """For this platform."""
    if sys.platform == "win32":
        from .control_client import control_of
        from .daemon_windows import WindowsDaemon
        from .win32.scm import WindowsServiceManager

        return WindowsDaemon(tunnel, WindowsServiceManager(), control_of(tunnel, timeout_s=10.0))
    else:  # noqa: RET505  # mypy takes platforms apart by if and else
        from .daemon import Daemon

        return Daemon(tunnel)
