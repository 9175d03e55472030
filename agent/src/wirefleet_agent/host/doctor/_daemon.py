# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What the running daemon says of itself, and its port where none runs."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Sequence

from ...errors import UnreachableError
from ..control_protocol import Json
from ._findings import CheckOnly, Finding, Severity

AskStatus = Callable[[], Json | None]  # None: no daemon answers


class TunnelIsUp(CheckOnly):
    """The daemon's own reason why the tunnel is not as configured."""

    def __init__(self, ask: AskStatus) -> None:
        self._ask = ask

    def find(self) -> Sequence[Finding]:
        try:
            status = self._ask()
        except UnreachableError as error:
            hint = "see its log; wirefleet-agent daemon restart"
            return [Finding("daemon_silent", Severity.ERROR, f"the daemon does not answer: {error.message}", hint)]
        if status is None:
            return [
                Finding(
                    "daemon_not_running", Severity.ERROR, "no daemon serves this tunnel", "wirefleet-agent daemon start"
                )
            ]
        problem = status.get("error")
        if not isinstance(problem, dict):
            return []
        where = f"{problem.get('path')}: " if problem.get("path") else ""
        message = f"the tunnel is not as configured: {where}{problem.get('message')}"
        return [Finding("tunnel_not_applied", Severity.ERROR, message, str(problem.get("hint") or "see the log"))]


class PrivilegesAreDropped(CheckOnly):
    """The service's token holds no more than it needs."""

    def __init__(self, ask: AskStatus) -> None:
        self._ask = ask

    def find(self) -> Sequence[Finding]:
        try:
            process = (self._ask() or {}).get("process")
        except UnreachableError:
            return []
        surplus = process.get("surplus_privileges") if isinstance(process, dict) else None
        if not surplus:
            return []
        message = f"the service still holds privileges that it wanted to drop: {', '.join(surplus)}"
        return [
            Finding(
                "privileges_held", Severity.ERROR, message, "wirefleet-agent daemon restart; see the log if it stays"
            )
        ]


class LastRestartWorked(CheckOnly):
    """A detached restart has nobody to complain to."""

    def __init__(self, read: Callable[[], Json | None]) -> None:
        self._read = read

    def find(self) -> Sequence[Finding]:
        restart = self._read()
        if restart is None or restart["state"] != "failed":
            return []
        error = restart["error"]
        why = error.get("message") if isinstance(error, dict) else "it left no reason"
        hint = "wirefleet-agent daemon restart --wait"
        return [Finding("restart_failed", Severity.WARNING, f"the last restart failed: {why}", hint)]


class PortIsFree(CheckOnly):
    """Where the daemon does not have it: whether somebody else has. port: configured; None for any or none."""

    def __init__(self, port: Callable[[], int | None], ask: AskStatus) -> None:
        self._port = port
        self._ask = ask

    def find(self) -> Sequence[Finding]:
        port = self._port()
        if port is None or self._is_ours(port):
            return []
        taken = [name for name, family in _FAMILIES if not can_bind(family, port)]
        if not taken:
            return []
        message = f"another process has UDP port {port} ({', '.join(taken)})"
        hint = "find it (ss -ulnp; Get-NetUDPEndpoint) and stop it, or configure another ListenPort"
        return [Finding("port_taken", Severity.ERROR, message, hint)]

    def _is_ours(self, port: int) -> bool:
        try:
            status = self._ask()
        except UnreachableError:
            return True
        interface = (status or {}).get("interface")
        is_up = isinstance(interface, dict) and interface.get("is_up")
        return bool(is_up) and status is not None and status.get("listen_port") == port


_FAMILIES = (("IPv4", socket.AF_INET), ("IPv6", socket.AF_INET6))


def can_bind(family: int, port: int) -> bool:
    """Whether a socket of ours gets the port now. True as well where the family does not exist."""
    try:
        probe = socket.socket(family, socket.SOCK_DGRAM)
    except OSError:
        return True
    with probe:
        if sys.platform == "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind(("", port))
        except PermissionError:
            return sys.platform != "win32"  # there it means: reserved, or used exclusively by another
        except OSError:
            return False
    return True
