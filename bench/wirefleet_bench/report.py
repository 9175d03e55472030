# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table on the terminal, made from the JSON document alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .tunnels import OURS, THEIRS

_NOTHING = "-"


def table(document: dict[str, Any]) -> str:
    """Every figure beside its ratio, its target and whether that is met; what to beware of comes first and last."""
    keys = list(document["implementations"])
    header = ["measure", "figure", "unit", *(document["implementations"][key]["label"] for key in keys)]
    rows = [
        [*header, *(f"by {document['implementations'][key]['label']}" for key in keys if key != OURS), "target", ""]
    ]
    for measure in document["measures"].values():
        rows += _measure_rows(measure, keys)
    return "\n".join([*_heading(document), "", *_aligned(rows), "", *_notes(document)])


def number(value: float, digits: int) -> str:
    """With thousands separated: 1,234 or 3.21."""
    return f"{value:,.{digits}f}"


def _measure_rows(measure: dict[str, Any], keys: Sequence[str]) -> list[list[str]]:
    width = 5 + len(keys) + sum(key != OURS for key in keys)
    title = measure["title"] + (" (noisy)" if measure["is_noisy"] else "")
    if measure["failure"]:
        return [[title, "no figures: " + measure["failure"].splitlines()[0], *[""] * (width - 2)]]
    rows = []
    targets = {each["figure"]: each for each in measure["targets"]}
    for key, figure in measure["figures"].items():
        medians, ratios = figure["median"], figure["ratio"]
        row = [title, figure["title"], figure["unit"]]
        row += [number(medians[each], figure["digits"]) if each in medians else _NOTHING for each in keys]
        row += [f"{ratios[each]['median']:.2f}x" if each in ratios else _NOTHING for each in keys if each != OURS]
        target = targets.get(key)
        row += [target["text"], "met" if target["is_met"] else "MISSED"] if target else ["", ""]
        rows.append(row)
        title = ""
    return rows


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Text to the left, numbers to the right; a failure's text may run over the columns that it leaves empty."""
    whole = [row for row in rows if any(row[2:])]
    widths = [max(len(row[column]) for row in whole) for column in range(len(rows[0]))]
    widths[0] = max(len(row[0]) for row in rows)
    is_text = [column < 3 or column >= len(widths) - 2 for column in range(len(widths))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(row, widths, is_text, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


def _heading(document: dict[str, Any]) -> list[str]:
    machine = document["machine"]
    versions = ", ".join(f"{each['label']} {each['version']}" for each in document["implementations"].values())
    lines = [
        f"{document['made_at']}  commit {document['commit']}{' (modified)' if document['is_modified'] else ''}",
        f"{machine['cpus']} x {machine['cpu_model']}, Linux {machine['kernel']}, Python {machine['python']}, "
        f"cryptography {machine['cryptography']}",
        versions,
    ]
    if document["is_partial"]:
        lines.append("A part of the measures only: no reference result.")
    if document["is_forced"]:
        lines.append(
            f"FORCED: busy or noisy did not count; it would have been refused {document['refusals_overruled']} times "
            f"(busy for up to {document['greatest_busy_share']:.0%}). These figures prove nothing."
        )
    return lines


def _notes(document: dict[str, Any]) -> list[str]:
    verdicts = [target["is_met"] for measure in document["measures"].values() for target in measure["targets"]]
    lines = [f"{sum(verdicts)} of {len(verdicts)} targets that were measured are met."]
    if THEIRS in document["implementations"]:
        lines.append("Ratios: ours by theirs, the median of pairs that were measured right after one another.")
    rounds = {name: sum(not each["discarded"] for each in m["rounds"]) for name, m in document["measures"].items()}
    lines.append("Rounds: " + ", ".join(f"{name} {count}" for name, count in rounds.items()) + ".")
    return lines
