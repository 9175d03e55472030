# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role firewall refuses a port that is none before it asks the host for anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PLAYBOOK = """
- hosts: hub-1
  gather_facts: false
  tasks:
    - ansible.builtin.import_role:
        name: wirefleet.wireguard.firewall
"""


def play(directory, *variables):
    """Exit code and output of the role for a Windows host that nobody could reach."""
    (directory / "inventory").write_text("hub-1 ansible_connection=winrm ansible_host=127.0.0.1 ansible_port=9\n")
    (directory / "play.yml").write_text(PLAYBOOK)
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "collections"),
        "ANSIBLE_NOCOLOR": "1",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    command = ["ansible-playbook", "-i", "inventory", "play.yml", *(f"-e{each}" for each in variables)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=directory, env=environment, timeout=120
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "variable",
    ["wirefleet_port=99999", "firewall_port=0", "wirefleet_heartbeat_port=65536", "wirefleet_cluster_port=70000"],
)
def test_a_port_that_is_none_is_refused_by_its_variable(tmp_path, variable):
    code, output = play(tmp_path, variable)

    assert code == 2
    assert f"There is no port {variable.split('=')[1]}" in output


def test_no_heartbeat_port_is_fine(tmp_path):
    _dummy, output = play(tmp_path, "wirefleet_heartbeat_port=0")

    assert "There is no port" not in output
    assert "Set wirefleet_overlay_prefixes" in output
