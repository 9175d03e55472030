# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan as text that people compare: one field of one host per line, and only what differs."""

from __future__ import annotations

from collections.abc import Mapping

from .json_text import load_json
from .planner import Plan

_LINES_SHOWN = 400
_LONG_LISTS = ("prefixes", "site_prefixes", "site_supernets")  # sorted ones, in which nothing but the items counts


def diff_plans(before: Mapping[str, object], plan: Plan) -> dict[str, str]:
    """``before`` and ``after`` for Ansible's diff mode, bounded in size. before: the former plan.json, or {}."""
    after = load_json(plan.plan_text.encode(), "plan.json")
    old, new = _lines(before), _lines(after)
    differing = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    shown = differing[:_LINES_SHOWN]
    hidden = len(differing) - len(shown)
    rest = [f"# and {hidden} more lines"] if hidden else []
    return {
        "before": "".join(f"{line}\n" for line in [*(old[key] for key in shown if key in old)]),
        "after": "".join(f"{line}\n" for line in [*(new[key] for key in shown if key in new), *rest]),
    }


def _lines(document: Mapping[str, object]) -> dict[tuple[str, ...], str]:
    """Every line under a key that the same line of another plan has too; long lists make one line per item."""
    lines = _lines_of("fleet", document.get("fleet"))
    for name in _list(document.get("removed")):
        lines["removed", str(name)] = f"removed {name}: addresses reserved"
    for section in ("sites", "hosts"):
        entries = document.get(section)
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            lines.update(_lines_of(name, entry))
    return lines


def _lines_of(name: str, entry: object) -> dict[tuple[str, ...], str]:
    lines: dict[tuple[str, ...], str] = {}
    for key, value in sorted(entry.items()) if isinstance(entry, dict) else ():
        if key in _LONG_LISTS:
            lines.update(((name, key, str(item)), f"{name} {key}: {item}") for item in _list(value))
        else:
            lines[name, key] = f"{name} {key}: {_value(value)}"
    return lines


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or "-"
    if value is None:
        return "-"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
