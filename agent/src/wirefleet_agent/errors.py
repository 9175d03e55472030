# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The error tree, cut by who must act.

=================  ==========================  =========
class              who acts                    exit code
=================  ==========================  =========
UsageError         the caller of the command   2
ConfigError        the operator                3
UnreachableError   the network, or waiting     4
RefusedError       the operator (state)        5
NoQuorumError      the operator (the hubs)     5
DriverError        the operating system        1
InternalError      us                          1
PacketDropped      the network; only counted   --
=================  ==========================  =========
"""

from __future__ import annotations

from .drops import DropReason


class WireFleetError(Exception):
    """Base of every error that reaches an operator.

    message: what is wrong, without secrets. path: the key, file or object it is about
    (``wf0.conf:12 [Peer] AllowedIPs``). hint: what to do.
    """

    code = "internal"
    exit_code = 1

    def __init__(self, message: str, *, path: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.hint = hint

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{where}{self.message}{hint}"

    def as_dict(self) -> dict[str, str | None]:
        """The ``error`` object of the command line's JSON contract."""
        return {"code": self.code, "message": self.message, "path": self.path, "hint": self.hint}


class UsageError(WireFleetError):
    """The command was called with the wrong words."""

    code = "usage"
    exit_code = 2


class ConfigError(WireFleetError):
    """A configuration is invalid; nothing was changed."""

    code = "invalid_config"
    exit_code = 3


class UnreachableError(WireFleetError):
    """The daemon or a peer did not answer in time."""

    code = "not_reachable"
    exit_code = 4


class RefusedError(WireFleetError):
    """The request is well-formed but the present state forbids it."""

    code = "refused"
    exit_code = 5


class NoQuorumError(RefusedError):
    """The hubs that reach each other are too few to decide anything. Reading still works."""

    code = "no_quorum"


class DriverError(WireFleetError):
    """An operating-system call failed. call: its name; os_code: errno or the Win32 code."""

    code = "driver"

    def __init__(
        self, message: str, *, call: str, os_code: int = 0, path: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, path=path, hint=hint)
        self.call = call
        self.os_code = os_code


class InternalError(WireFleetError):
    """A claim of ours turned out false: report it."""


class PacketDropped(Exception):
    """One packet is dropped for a named reason; counted, never fatal, and nothing else has changed."""

    def __init__(self, reason: DropReason) -> None:
        super().__init__(reason.value)
        self.reason = reason
