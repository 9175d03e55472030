# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Errors with the codes and exit codes of the agent's command line."""

from __future__ import annotations


class BundleError(Exception):
    """Base. message, path, hint: as in the agent's ``error`` object."""

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
        return {"code": self.code, "message": self.message, "path": self.path, "hint": self.hint}


class UsageError(BundleError):
    code = "usage"
    exit_code = 2


class InvalidBundle(BundleError):
    """The bundle is damaged, or was tampered with; nothing was changed."""

    code = "invalid_bundle"
    exit_code = 3


class Refused(BundleError):
    """The bundle is sound, but not for this host."""

    code = "refused"
    exit_code = 5


class InstallFailed(BundleError):
    """The operating system or the new release itself failed; what was begun is removed."""

    code = "driver"
