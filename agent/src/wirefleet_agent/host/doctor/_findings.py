# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What a check says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from ...errors import InternalError
from ..control_protocol import Json


class Severity(Enum):
    """ERROR: the tunnel does not work, or not safely. WARNING: it may stop working, or something is left over."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """code: fixed for ever, for programs and search engines. subject: which of several things of one kind."""

    code: str
    severity: Severity
    message: str
    hint: str
    is_fixable: bool = False
    is_fixed: bool = False
    subject: str = ""

    def as_dict(self) -> Json:
        return {
            "code": self.code,
            "severity": self.severity.value,
            "message": self.message,
            "hint": self.hint,
            "fixable": self.is_fixable,
            "fixed": self.is_fixed,
        }


class Check(Protocol):
    """Looks at one thing that is known to go wrong."""

    def find(self) -> Sequence[Finding]:
        """Changes nothing. Raises DriverError if it cannot tell."""

    def fix(self, finding: Finding) -> None:
        """Repair a finding that is fixable. Raises DriverError, RefusedError."""


class CheckOnly:
    """A check whose findings somebody else has to repair."""

    def fix(self, finding: Finding) -> None:
        """Never called: nothing that such a check finds is fixable."""
        raise InternalError(f"nobody can repair {finding.code} from here")
