# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the runs on a real Windows take for granted: nobody sees them fail before they are on one."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

COLLECTION = Path(__file__).resolve().parents[2]
TARGET = COLLECTION / "tests" / "integration" / "targets" / "windows_site"


def test_git_on_windows_leaves_the_line_ends_of_scripts_alone() -> None:
    scripts = ["scripts/setup.sh", "tests/integration/targets/windows_site/runme.sh", "agent/pyproject.toml"]
    said = subprocess.run(
        ["git", "check-attr", "eol", "--", *scripts], cwd=COLLECTION, check=True, capture_output=True, text=True
    ).stdout

    assert said.splitlines() == [f"{script}: eol: lf" for script in scripts]


def test_the_integration_script_finds_its_playbooks_in_the_copy_of_itself_that_ansible_test_runs() -> None:
    # ansible-test copies the target's folder, the inventory and the variables, and nothing else of the collection.
    script = (TARGET / "runme.sh").read_text("utf-8")
    played = re.findall(r'^ *play "?([\w./$]+)', script, re.MULTILINE)

    assert played
    for name in played:
        namespace, _dot, playbook = name.rpartition(".")
        is_beside = (TARGET / name).is_file()
        assert is_beside or (
            namespace == "wirefleet.wireguard" and (COLLECTION / "playbooks" / f"{playbook}.yml").is_file()
        ), name
