# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The golden fleets: their plans, slices and rendered files, which the agent's tests read as well.

``plan_sites`` has redundant sites, behind spokes and behind hubs, which ``plan`` has not.

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

FOLDER = Path(__file__).parent
RENDERED = {
    "plan": ("hub-1", "hub-3", "spoke-1", "spoke-3", "spoke-5"),
    "plan_sites": ("hub-1", "hub-2", "hub-3", "spoke-1", "spoke-2", "spoke-3"),
}


def golden_texts(fleet: str) -> dict[str, str]:
    """File name below the fleet's folder -> what the planner and the templates make of ``fleet.json``."""
    inventory = json.loads((FOLDER / fleet / "fleet.json").read_text())
    plan = make_plan(PlanRequest(**inventory), Lock())
    texts = {"plan.json": plan.plan_text, "wirefleet.lock.json": plan.lock_text}
    for name in RENDERED[fleet]:
        rendered = render_slice(json.loads(plan.slice_texts[name]))
        texts[f"slices/{name}.json"] = plan.slice_texts[name]
        texts[f"rendered/{name}.conf"] = rendered.conf
        texts[f"rendered/{name}.toml"] = rendered.toml
    return texts


@pytest.mark.parametrize(
    ("fleet", "name"), [(fleet, name) for fleet in RENDERED for name in sorted(golden_texts(fleet))]
)
def test_the_golden_fleets_make_the_golden_files(fleet: str, name: str) -> None:
    path, text = FOLDER / fleet / name, golden_texts(fleet)[name]
    if os.environ.get("WIREFLEET_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    assert path.read_text() == text


@pytest.mark.parametrize("fleet", RENDERED)
def test_no_golden_file_is_left_over(fleet: str) -> None:
    present = {str(path.relative_to(FOLDER / fleet)) for path in (FOLDER / fleet).rglob("*") if path.is_file()}

    assert present == {*golden_texts(fleet), "fleet.json"}


@pytest.mark.parametrize("fleet", RENDERED)
def test_the_golden_lock_gives_the_golden_plan_again(fleet: str) -> None:
    request = PlanRequest(**json.loads((FOLDER / fleet / "fleet.json").read_text()))
    lock = parse_lock((FOLDER / fleet / "wirefleet.lock.json").read_bytes(), "wirefleet.lock.json")

    assert make_plan(request, lock).plan_text == (FOLDER / fleet / "plan.json").read_text()
