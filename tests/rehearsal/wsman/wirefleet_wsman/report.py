# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a rehearsed host: what happened, and what it cannot show."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from wirefleet_wsman.state import StateStore

ALWAYS = (
    "PowerShell: no script runs here; modules are stand-ins written in Python",
    "Kerberos, CredSSP, certificates of clients, PSRP and `become` are not served",
    "Wine is not Windows: no access control, no firewall, no event log, no user rights, no delayed start",
)


def make_report(state: Path) -> dict[str, Any]:
    """Plain data for a host's state directory."""
    calls: Counter[str] = Counter()
    trace = state / "trace.jsonl"
    if trace.is_file():
        for line in trace.read_text("utf-8").splitlines():
            module = json.loads(line).get("module")
            if module:
                calls[str(module)] += 1
    return {
        "kind": "rehearsal",
        "calls": dict(sorted(calls.items())),
        "not_shown": {"always": list(ALWAYS), **StateStore(state).read("not_shown")},
    }


def format_report(report: dict[str, Any]) -> str:
    """The report for people."""
    lines = ["This is a rehearsal, not Windows.", "", "Modules called:"]
    lines += [f"  {count:5}  {module}" for module, count in report["calls"].items()] or ["  none"]
    lines += ["", "What this cannot show:"]
    for topic, details in sorted(report["not_shown"].items()):
        lines.append(f"  {topic}:")
        lines += [f"    {detail}" for detail in (details if isinstance(details, list) else sorted(details))]
    return "\n".join(lines) + "\n"
