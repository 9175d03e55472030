# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An earlier run completed: what it measured well, and what was noisy then and is measured again now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import UsageError
from .measures import MEASURES

_ALIKE = ("schema", "commit", "machine", "implementations")


def read(path: Path) -> dict[str, Any]:
    """An earlier result. Raises UsageError."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict) and isinstance(found["measures"], dict):
            return found
        raise ValueError("this is no result of a benchmark")
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error


def require_commit(earlier: Mapping[str, Any], commit: str, *, is_modified: bool) -> None:
    """Raises UsageError if it measured other code, or code that no commit tells."""
    if is_modified or earlier.get("is_modified") or earlier.get("commit") != commit:
        hint = "commit, and measure everything again"
        raise UsageError(f"the earlier result is of commit {earlier.get('commit')}, this is {commit}", hint)


def joined(found: Mapping[str, Any], earlier: Mapping[str, Any]) -> dict[str, Any]:
    """The new document with the earlier one's good measures beside its own, in the usual order.

    It is partial if a measure is still missing or has no figures. Raises UsageError if the two are not alike.
    """
    for key in _ALIKE:
        if earlier.get(key) != found[key]:
            raise UsageError(f"the earlier result has another {key}", "measure everything again")
    measures = {**_good(earlier), **found["measures"]}
    in_order = {each.name: measures[each.name] for each in MEASURES if each.name in measures}
    return {
        **found,
        "is_forced": found["is_forced"] or earlier["is_forced"],
        "is_partial": len(in_order) < len(MEASURES) or any(each["failure"] for each in in_order.values()),
        "joined": [*earlier.get("joined", ()), earlier["made_at"]],
        "measures": in_order,
    }


def _good(earlier: Mapping[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in earlier["measures"].items() if not each["failure"]}
