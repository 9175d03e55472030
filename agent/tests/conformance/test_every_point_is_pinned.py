# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""docs/conformance.md names every point of the conformance list, and at least one test cites each point's number."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
DOCUMENT = TESTS.parents[1] / "docs" / "conformance.md"
POINTS = range(1, 46)
CITATION = re.compile(r"# checklist (\d+(?:, ?\d+)*)")


def cited_points() -> set[int]:
    cited: set[int] = set()
    for path in TESTS.rglob("test_*.py"):
        for match in CITATION.finditer(path.read_text(encoding="utf-8")):
            cited.update(int(number) for number in match[1].split(","))
    return cited


def test_every_point_is_cited_by_a_test() -> None:
    assert set(POINTS) - cited_points() == set()


def test_the_document_lists_every_point_once() -> None:
    listed = [int(n) for n in re.findall(r"^\| (\d+) \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)]

    assert listed == list(POINTS)
