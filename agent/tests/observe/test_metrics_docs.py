# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""docs/metrics.md and the example alerts name the metrics that there are, and all of them.

WIREFLEET_RECORD=1 writes the tables of the document anew.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import pytest
from wirefleet_agent.drops import DropReason
from wirefleet_agent.observe import metrics
from wirefleet_agent.observe.metrics import Family

DOCS = Path(__file__).parents[3] / "docs"
BEGIN, END = "<!-- metrics: made by agent/tests/observe/test_metrics_docs.py -->\n", "<!-- end of metrics -->\n"


def sources() -> list[type]:
    """Every class that observe.metrics offers and that is a source."""
    offered = [getattr(metrics, name) for name in metrics.__all__]
    return [each for each in offered if isinstance(getattr(each, "families", None), tuple)]


def families() -> list[Family]:
    return [family for source in sources() for family in source.families]  # type: ignore[attr-defined]


def table() -> str:
    lines = ["| metric | kind | labels | unit | meaning |", "| --- | --- | --- | --- | --- |"]
    for family in families():
        labels = ", ".join(f"`{label}`" for label in family.labels)
        lines.append(f"| `{family.name}` | {family.kind.value} | {labels} | {family.unit} | {family.help} |")
    return "\n".join(lines) + "\n"


def test_the_table_is_that_of_the_code() -> None:
    path = DOCS / "metrics.md"
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    found, after = rest.split(END)

    if os.environ.get("WIREFLEET_RECORD"):
        path.write_text(before + BEGIN + table() + END + after, encoding="utf-8", newline="\n")
        return
    assert found == table()


def test_each_metric_has_one_source_and_a_name_after_the_conventions() -> None:
    names = Counter(family.name for family in families())

    assert set(names.values()) == {1}
    for family in families():
        assert re.fullmatch(r"wirefleet(_[a-z0-9]+)+", family.name)
        assert family.help.endswith(".")
        assert "|" not in family.help
        if family.unit in ("bytes", "seconds"):
            assert family.name.removesuffix("_total").endswith(family.unit), family.name


def test_every_reason_to_drop_is_explained() -> None:
    text = (DOCS / "metrics.md").read_text(encoding="utf-8").split("## Reasons to drop")[1]
    explained = [name for row in text.splitlines() if row.startswith("| `") for name in re.findall(r"`(\w+)`", row)]

    assert sorted(explained) == sorted(reason.value for reason in DropReason)


@pytest.mark.parametrize("document", ["metrics-alerts.yml", "metrics.md"])
def test_no_document_names_a_metric_that_does_not_exist(document: str) -> None:
    text = (DOCS / document).read_text(encoding="utf-8")

    named = set(re.findall(r"\bwirefleet_[a-z0-9_]+", text))

    assert named
    assert named <= {family.name for family in families()}
