# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""All checks, one after the other; with repairs, each check looks again after its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ...errors import WireFleetError
from ._findings import Check, Finding, Severity


@dataclass(frozen=True)
class Examination:
    findings: tuple[Finding, ...]

    @property
    def is_healthy(self) -> bool:
        """No error is left."""
        return not any(each.severity is Severity.ERROR and not each.is_fixed for each in self.findings)


def examine(checks: Sequence[Check], *, fix: bool) -> Examination:
    """A check that cannot tell, or a repair that fails, is a finding of its own and keeps nobody else from working."""
    return Examination(tuple(finding for check in checks for finding in _examined(check, fix=fix)))


def _examined(check: Check, *, fix: bool) -> Iterator[Finding]:
    try:
        found = tuple(check.find())
    except WireFleetError as error:
        yield _cannot_tell(check, error)
        return
    repaired = [_repaired(check, finding) if fix and finding.is_fixable else finding for finding in found]
    if not any(each.is_fixed for each in repaired):
        yield from repaired
        return
    try:
        left = {(each.code, each.subject) for each in check.find()}
    except WireFleetError as error:
        yield from found
        yield _cannot_tell(check, error)
        return
    for finding in repaired:
        yield replace(finding, is_fixed=finding.is_fixed and (finding.code, finding.subject) not in left)


def _repaired(check: Check, finding: Finding) -> Finding:
    try:
        check.fix(finding)
    except WireFleetError as error:
        return replace(finding, hint=f"the repair failed: {error}")
    return replace(finding, is_fixed=True)


def _cannot_tell(check: Check, error: WireFleetError) -> Finding:
    name = type(check).__name__
    return Finding(
        "check_failed", Severity.WARNING, f"{name} cannot tell: {error.message}", error.hint or "", subject=name
    )
