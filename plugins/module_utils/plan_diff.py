# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan as text that people compare: one line per host, and only the hosts that differ."""

from __future__ import annotations

from collections.abc import Mapping

from .json_text import load_json
from .planner import Plan

_LINES_SHOWN = 400


def diff_plans(before: Mapping[str, object], plan: Plan) -> dict[str, str]:
    """``before`` and ``after`` for Ansible's diff mode, bounded in size. before: the former plan.json, or {}."""
    after = load_json(plan.plan_text.encode(), "plan.json")
    old, new = _lines(before), _lines(after)
    differing = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    shown = differing[:_LINES_SHOWN]
    hidden = len(differing) - len(shown)
    rest = [f"# and {hidden} more hosts"] if hidden else []
    return {
        "before": "".join(f"{line}\n" for line in [*(old[key] for key in shown if key in old)]),
        "after": "".join(f"{line}\n" for line in [*(new[key] for key in shown if key in new), *rest]),
    }


def _lines(document: Mapping[str, object]) -> dict[str, str]:
    lines = {}
    fleet = document.get("fleet")
    for key, value in fleet.items() if isinstance(fleet, dict) else ():
        lines[f"fleet.{key}"] = f"{key}: {_value(value)}"
    for name in _list(document.get("removed")):
        lines[f"removed.{name}"] = f"removed {name}: addresses reserved"
    hosts = document.get("hosts")
    for name, entry in hosts.items() if isinstance(hosts, dict) else ():
        if isinstance(entry, dict):
            lines[f"hosts.{name}"] = f"{name}: " + "; ".join(f"{key} {_value(value)}" for key, value in entry.items())
    return lines


def _value(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(str(item) for item in value) + "]"
    if value is None:
        return "-"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
