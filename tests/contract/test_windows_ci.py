# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the runs on a real Windows take for granted: nobody sees them fail before they are on one."""

from __future__ import annotations

import re
import subprocess
import sys
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


def test_the_host_under_test_is_not_called_as_the_controller_is() -> None:
    # Tasks that site.yml delegates to localhost, such as the making of the bundle, would run on it.
    workflow = (COLLECTION / ".github" / "workflows" / "windows.yml").read_text("utf-8")

    [name] = re.findall(r"\[windows\]\n +(\S+) ansible_host=127\.0\.0\.1\n", workflow)

    assert name not in ("localhost", "127.0.0.1")


def test_the_fleet_of_the_integration_test_can_be_planned_for_a_host_at_127_0_0_1(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.winrm"
    inventory.write_text("[windows]\nrunner ansible_host=127.0.0.1 ansible_connection=winrm\n", "utf-8")
    command = [sys.executable, "-m", "ansible", "playbook", "-i", str(inventory), "-i", str(TARGET / "fleet.yml")]

    planned = subprocess.run(
        [*command, "-e", f"windows_site_work={tmp_path}", "wirefleet.wireguard.plan"],
        cwd=COLLECTION, check=False, capture_output=True, text=True,
    )  # fmt: skip

    assert planned.returncode == 0, planned.stdout
