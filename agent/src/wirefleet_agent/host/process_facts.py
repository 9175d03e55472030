# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Who the service runs as and what it may do, read from the running process: not what somebody configured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .control_protocol import Json

SINGLE_PROCESS = "single_process"


@dataclass(frozen=True)
class ProcessReport:
    """sids: of the service, on Windows. privileges: names that are held, enabled or not; capabilities on Linux.

    surplus_privileges: held although the service wanted to be rid of them.
    """

    user: str
    sids: tuple[str, ...]
    privileges: tuple[str, ...]
    surplus_privileges: tuple[str, ...] = ()
    mode: str = SINGLE_PROCESS

    def as_dict(self) -> Json:
        return {
            "user": self.user,
            "sids": list(self.sids),
            "privileges": list(self.privileges),
            "surplus_privileges": list(self.surplus_privileges),
            "mode": self.mode,
        }


class ProcessFacts(Protocol):
    """Looks at this process."""

    def report(self) -> ProcessReport:
        """As it is now. Raises DriverError."""
