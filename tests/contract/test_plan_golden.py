# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The golden fleet: its plan, slices and rendered files, which the agent's tests read as well.

``WIREFLEET_UPDATE_GOLDEN=1 pytest tests/contract/test_plan_golden.py`` writes the files anew; look at the difference.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible_collections.wirefleet.wireguard.plugins.module_utils.planner import (
    Lock,
    PlanRequest,
    make_plan,
    parse_lock,
)
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.rendering import render_slice

GOLDEN = Path(__file__).parent / "plan"
RENDERED = ("hub-1", "hub-3", "spoke-1", "spoke-3", "spoke-5")


def golden_texts() -> dict[str, str]:
    """File name below ``plan/`` -> what the planner and the templates make of ``fleet.json``."""
    inventory = json.loads((GOLDEN / "fleet.json").read_text())
    plan = make_plan(PlanRequest(**inventory), Lock())
    texts = {"plan.json": plan.plan_text, "wirefleet.lock.json": plan.lock_text}
    for name in RENDERED:
        rendered = render_slice(json.loads(plan.slice_texts[name]))
        texts[f"slices/{name}.json"] = plan.slice_texts[name]
        texts[f"rendered/{name}.conf"] = rendered.conf
        texts[f"rendered/{name}.toml"] = rendered.toml
    return texts


@pytest.mark.parametrize("name", sorted(golden_texts()))
def test_the_golden_fleet_makes_the_golden_files(name: str) -> None:
    path, text = GOLDEN / name, golden_texts()[name]
    if os.environ.get("WIREFLEET_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    assert path.read_text() == text


def test_no_golden_file_is_left_over() -> None:
    present = {str(path.relative_to(GOLDEN)) for path in GOLDEN.rglob("*") if path.is_file()}

    assert present == {*golden_texts(), "fleet.json"}


def test_the_golden_lock_gives_the_golden_plan_again() -> None:
    request = PlanRequest(**json.loads((GOLDEN / "fleet.json").read_text()))
    lock = parse_lock((GOLDEN / "wirefleet.lock.json").read_bytes(), "wirefleet.lock.json")

    assert make_plan(request, lock).plan_text == (GOLDEN / "plan.json").read_text()
