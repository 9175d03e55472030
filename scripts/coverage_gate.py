# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fails when coverage falls below the gates. usage: coverage_gate.py coverage.json (of ``coverage json``).

85 % of lines and branches together over everything; 95 % of the branches in each room that must not be wrong:
wire, core and config of the agent, and the planner of the collection.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

OVERALL_PERCENT = 85.0
BRANCH_PERCENT = 95.0
BRANCH_ROOMS = {
    "wire": "wirefleet_agent/wire/",
    "core": "wirefleet_agent/core/",
    "config": "wirefleet_agent/config/",
    "planner": "plugins/module_utils/planner/",
}


def branch_percent(files: dict[str, dict[str, dict[str, float]]], fragment: str) -> tuple[float, int]:
    """Percent of branches taken in the files whose path contains the fragment, and how many branches there are."""
    summaries = [file["summary"] for path, file in files.items() if fragment in path]
    total = int(sum(summary["num_branches"] for summary in summaries))
    covered = sum(summary["covered_branches"] for summary in summaries)
    return (100.0 * covered / total if total else 0.0), total


def main() -> int:
    report = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    overall = report["totals"]["percent_covered"]
    rows = [("overall", overall, OVERALL_PERCENT, f"{report['totals']['num_statements']} statements")]
    for room, fragment in BRANCH_ROOMS.items():
        percent, total = branch_percent(report["files"], fragment)
        rows.append((f"{room} (branches)", percent, BRANCH_PERCENT, f"{total} branches"))
    for name, percent, gate, size in rows:
        verdict = "ok" if percent >= gate else "BELOW THE GATE"
        print(f"coverage: {name:20} {percent:6.2f} %  gate {gate:.0f} %  of {size:18} {verdict}")
    return 0 if all(percent >= gate for _name, percent, gate, _size in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
