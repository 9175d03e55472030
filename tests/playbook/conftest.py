# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs playbooks with the real ansible-playbook on an inventory of the test's own; no host is ever connected to."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
CONFIG = """
[defaults]
collections_path = {collections}
stdout_callback = ansible.posix.json
interpreter_python = {python}
localhost_warning = false
[inventory]
ignore_patterns = wirefleet\\.lock\\.json$
"""


def public_key(name: str) -> str:
    return base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()


@dataclass
class Outcome:
    """What a run said. results: task name -> host -> result."""

    code: int
    text: str
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    stats: dict[str, dict[str, int]] = field(default_factory=dict)

    def of(self, task: str) -> dict[str, Any]:
        """The result of a task that ran on one host."""
        [result] = self.results[task].values()
        return result


class Fleet:
    """An inventory directory with three hubs and some spokes, and a way to run tasks on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.inventory = root / "inventory"
        self.inventory.mkdir()
        self.hosts: dict[str, dict[str, dict[str, object]]] = {
            "hubs": {f"hub-{n}": {"wirefleet_endpoint": f"192.0.2.{n}"} for n in (1, 2, 3)},
            "spokes": {f"spoke-{n}": {} for n in (1, 2, 3)},
        }
        self.variables: dict[str, object] = {"wirefleet_overlay_prefixes": ["10.86.0.0/24", "fd86::/64"]}
        config = CONFIG.format(collections=CHECKOUT / "collections", python=sys.executable)
        (root / "ansible.cfg").write_text(config)

    @property
    def plan_dir(self) -> Path:
        return self.inventory / ".wirefleet"

    @property
    def lock_path(self) -> Path:
        return self.inventory / "wirefleet.lock.json"

    def add_keys(self) -> None:
        for hosts in self.hosts.values():
            for name, variables in hosts.items():
                variables["wirefleet_public_key"] = public_key(name)

    def files(self) -> dict[str, bytes]:
        found = {str(path.relative_to(self.inventory)): path for path in self.inventory.rglob("*") if path.is_file()}
        return {name: path.read_bytes() for name, path in found.items() if name != "hosts.json"}

    def run(
        self,
        tasks: list[dict[str, Any]],
        *arguments: str,
        hosts: str = "hubs:spokes",
        json_output: bool = True,
        playbook: Path | None = None,
    ) -> Outcome:
        """Run tasks (each with a name), or a playbook as it is; returns what every host said."""
        children = {group: {"hosts": members} for group, members in self.hosts.items()}
        inventory = {"all": {"vars": self.variables, "children": children}}
        (self.inventory / "hosts.json").write_text(json.dumps(inventory))
        play = {"name": "test", "hosts": hosts, "gather_facts": False, "tasks": tasks}
        (self.root / "play.json").write_text(json.dumps([play]))
        environment = {**os.environ, "ANSIBLE_CONFIG": str(self.root / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "false"}
        if not json_output:
            environment["ANSIBLE_STDOUT_CALLBACK"] = "default"
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(self.inventory), *arguments]
        done = subprocess.run(
            [*command, str(playbook or self.root / "play.json")],
            capture_output=True,
            text=True,
            env=environment,
            cwd=self.root,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        text = done.stdout + done.stderr
        if not json_output:
            return Outcome(done.returncode, text)
        start = re.search(r"^\{$", done.stdout, re.MULTILINE)
        assert start, text
        document = json.loads(done.stdout[start.start() :])
        results = (
            {task["task"]["name"]: task["hosts"] for task in document["plays"][0]["tasks"]} if document["plays"] else {}
        )
        return Outcome(done.returncode, text, results, document["stats"])


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)
