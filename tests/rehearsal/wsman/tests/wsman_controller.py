# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the real ansible-playbook with the real winrm connection against a server on the loopback interface."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PASSWORD = "Correct horse-1"
_CONFIG = """[defaults]
stdout_callback = ansible.posix.json
localhost_warning = false
home = {home}
collections_path = {collections}
"""
_COLLECTIONS = Path(__file__).resolve().parents[4] / "collections"


@dataclass
class Outcome:
    """What a run said. results: task name -> result."""

    code: int
    text: str
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    unreachable: int = 0


class Controller:
    """One inventory: hosts basic, https and ntlm are the same Windows host."""

    def __init__(self, directory: Path, ports: dict[str, int], certificate: Path) -> None:
        self.directory = directory
        (directory / "ansible.cfg").write_text(_CONFIG.format(home=directory / "ansible", collections=_COLLECTIONS))
        common = {
            "ansible_host": "127.0.0.1",
            "ansible_connection": "winrm",
            "ansible_user": "Administrator",
            "ansible_password": PASSWORD,
            "ansible_winrm_ca_trust_path": str(certificate),
        }
        ways = {
            "basic": {"ansible_winrm_scheme": "http", "ansible_winrm_transport": "basic"},
            "https": {"ansible_winrm_scheme": "https", "ansible_winrm_transport": "basic"},
            "ntlm": {
                "ansible_winrm_scheme": "http",
                "ansible_winrm_transport": "ntlm",
                "ansible_winrm_message_encryption": "always",
            },
            "ntlm_https": {"ansible_winrm_scheme": "https", "ansible_winrm_transport": "ntlm"},
        }
        hosts = {
            name: {**common, **way, "ansible_port": ports[str(way["ansible_winrm_scheme"])]}
            for name, way in ways.items()
        }
        (directory / "inventory.json").write_text(json.dumps({"all": {"hosts": hosts}}))

    def adhoc(self, way: str, module: str, /, **arguments: Any) -> dict[str, Any]:
        """The result of one module."""
        outcome = self.play(way, [{"name": "it", module: arguments, "ignore_errors": True}])
        assert "it" in outcome.results, outcome.text
        return outcome.results["it"]

    def play(self, way: str, tasks: list[dict[str, Any]], *arguments: str, facts: bool = False) -> Outcome:
        """Run tasks; each needs a name."""
        playbook = self.directory / "play.json"
        playbook.write_text(json.dumps([{"hosts": way, "gather_facts": facts, "tasks": tasks}]))
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "ansible",
                "playbook",
                "-i",
                self.directory / "inventory.json",
                playbook,
                *arguments,
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=self.directory,
            env={**os.environ, "ANSIBLE_CONFIG": str(self.directory / "ansible.cfg"), "LC_ALL": "C.UTF-8"},
        )
        outcome = Outcome(done.returncode, done.stdout + done.stderr)
        start = done.stdout.find("{\n")
        if start >= 0:
            report, _ = json.JSONDecoder().raw_decode(done.stdout[start:])
            for play in report["plays"]:
                for task in play["tasks"]:
                    for result in task["hosts"].values():
                        outcome.results[task["task"]["name"]] = result
            outcome.unreachable = sum(stat["unreachable"] for stat in report["stats"].values())
        return outcome
