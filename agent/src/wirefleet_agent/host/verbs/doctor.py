# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""``doctor``: known failures by their names, and their repair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import UnreachableError
from ..call import Answer, Call, VerbTable

if TYPE_CHECKING:
    from ..doctor import Finding

_EPILOG = """Looks, and with --fix repairs what it can. Works without a running service too.
The codes are in docs/agent.md.

examples:
  wirefleet-agent doctor                  exit code 4 if an error is left
  wirefleet-agent doctor --fix
  wirefleet-agent --check doctor --fix    only say what would be repaired
"""


def register(verbs: VerbTable) -> None:
    doctor = verbs.add("doctor", "name what is wrong with the tunnel and its host", _doctor, epilog=_EPILOG)
    doctor.add_argument("--fix", action="store_true", help="repair what can be repaired")


def _doctor(call: Call) -> Answer:
    from ..doctor import checks_for, examine

    is_fixing = call.arguments.fix and not call.check
    found = examine(checks_for(call.tunnel()), fix=is_fixing)
    reply = {"healthy": found.is_healthy, "findings": [each.as_dict() for each in found.findings]}
    would_fix = bool(call.arguments.fix and call.check)
    text = "\n".join(_line(each, would_fix=would_fix) for each in found.findings) or "nothing is wrong"
    if found.is_healthy:
        return Answer(reply, text)
    codes = ", ".join(dict.fromkeys(each.code for each in found.findings if each.severity.value == "error"))
    hint = "wirefleet-agent doctor --fix" if any(each.is_fixable for each in found.findings) else "see the findings"
    return Answer(reply, text, UnreachableError(f"something is wrong: {codes}", hint=hint))


def _line(finding: Finding, *, would_fix: bool) -> str:
    state = "fixed" if finding.is_fixed else finding.severity.value
    hint = "would be repaired" if would_fix and finding.is_fixable else finding.hint
    return f"{state:<8}{finding.code}: {finding.message}" + (f" ({hint})" if hint and not finding.is_fixed else "")
