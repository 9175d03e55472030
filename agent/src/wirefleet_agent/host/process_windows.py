# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The service's token on Windows: what it holds, and letting go of what it does not need.

Wintun accepts a ring only from SYSTEM or an administrator, so one process cannot run as anything less. What it can do
is to give up SYSTEM's privileges before it reads the first byte from the network; a removed privilege cannot be taken
back by this process. Two stay: to load a driver (the adapter's), and to pass through directories.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from ..errors import DriverError
from ..observe import Logger
from .process_facts import ProcessReport

KEPT_PRIVILEGES = ("SeChangeNotifyPrivilege", "SeLoadDriverPrivilege")
SERVICE_SID_PREFIX = "S-1-5-80-"


class TokenApi(Protocol):
    """The narrow part of Win32 that speaks of this process's token. All raise OSError."""

    def user(self) -> str:
        """``NT AUTHORITY\\SYSTEM``; the SID where it has no name."""

    def groups(self) -> list[str]:
        """SIDs, as text."""

    def privileges(self) -> set[str]:
        """Names that are held, enabled or not."""

    def remove(self, names: Collection[str]) -> None:
        """For good."""


class WindowsProcess:
    """ProcessFacts of Windows."""

    def __init__(self, token: TokenApi) -> None:
        self._token = token
        self._has_dropped = False

    def report(self) -> ProcessReport:
        """Surplus privileges exist after ``drop_privileges`` only: what runs in the foreground keeps its caller's."""
        try:
            held = self._token.privileges()
            sids = [sid for sid in self._token.groups() if sid.startswith(SERVICE_SID_PREFIX)]
            surplus = held - set(KEPT_PRIVILEGES) if self._has_dropped else set()
            return ProcessReport(self._token.user(), tuple(sorted(sids)), tuple(sorted(held)), tuple(sorted(surplus)))
        except OSError as error:
            raise _failure("GetTokenInformation", error) from error

    def drop_privileges(self, logger: Logger) -> None:
        """All but two, read back from the token. What stays against our will is an error in the log, not an end:
        a tunnel that does not run protects nobody."""
        try:
            surplus = self._token.privileges() - set(KEPT_PRIVILEGES)
            self._has_dropped = True
            if surplus:
                self._token.remove(surplus)
        except OSError as error:
            logger.error("privileges_not_dropped", error=str(_failure("AdjustTokenPrivileges", error)))
            return
        left = self.report()
        if left.surplus_privileges:
            logger.error("privileges_not_dropped", privileges=list(left.surplus_privileges))
        else:
            logger.info("privileges_dropped", dropped=len(surplus), held=list(left.privileges))


def _failure(call: str, error: OSError) -> DriverError:
    code = getattr(error, "winerror", None) or error.errno or 0
    return DriverError(error.strerror or str(error), call=call, os_code=code, path="the process's token")
