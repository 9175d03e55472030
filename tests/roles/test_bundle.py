# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role bundle in check mode: it decides what to build without a network and without looking into the runtime."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
INVENTORY = """
linux-1 ansible_connection=local
hub-1 ansible_connection=winrm
hub-2 ansible_connection=ansible.builtin.psrp
hub-3 ansible_connection=ssh ansible_shell_type=powershell
spoke-1 ansible_connection=ssh wirefleet_platform=windows
spoke-2 ansible_connection=winrm wirefleet_platform=linux
[all:vars]
wirefleet_bundle_dir={output}
"""
PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.import_role:
        name: wirefleet.wireguard.bundle
      run_once: true
      delegate_to: localhost
    - ansible.builtin.copy:
        content: "{{ {'paths': bundle_paths, 'path': bundle_path, 'windows': __bundle_windows_hosts} | to_json }}"
        dest: "{{ lookup('env', 'FOUND') }}"
        mode: "0600"
      check_mode: false
      run_once: true
      delegate_to: localhost
"""


@pytest.fixture
def play(tmp_path):
    """Runs the role in check mode; returns the exit code, what was printed, and the facts."""
    (tmp_path / "inventory").write_text(INVENTORY.format(output=tmp_path / "out"))
    (tmp_path / "play.yml").write_text(PLAYBOOK)

    def run(*words, variables=None):
        for group, values in (variables or {}).items():
            folder = tmp_path / "host_vars"
            folder.mkdir(exist_ok=True)
            (folder / f"{group}.json").write_text(json.dumps(values))
        environment = {
            **os.environ,
            "FOUND": str(tmp_path / "found.json"),
            "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "collections"),
            "ANSIBLE_NOCOLOR": "1",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        command = ["ansible-playbook", "-i", "inventory", "play.yml", "--check", *words]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment, timeout=120
        )
        found = tmp_path / "found.json"
        return done.returncode, done.stdout + done.stderr, json.loads(found.read_text()) if found.exists() else None

    return run


@pytest.fixture
def runtime(tmp_path):
    """A file and its sum: check mode does not look inside."""
    path = tmp_path / "python.zip"
    path.write_bytes(b"what the operator downloaded")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"wirefleet_windows_python": str(path), "wirefleet_windows_python_sha256": sha256}


def test_windows_hosts_without_a_runtime_are_refused_before_any_host_is_touched(play):
    code, printed, found = play()

    assert code != 0
    assert "The play has Windows hosts (hub-1, hub-2, hub-3, spoke-1)" in printed
    assert "python.org/downloads/windows" in printed
    assert "sha256sum" in printed
    assert found is None


def test_a_runtime_without_its_sum_is_refused(play, runtime):
    del runtime["wirefleet_windows_python_sha256"]

    code, printed, _dummy = play(variables={"hub-1": runtime})

    assert code != 0
    assert "wirefleet_windows_python_sha256" in printed


def test_each_platform_of_the_plays_hosts_has_a_bundle(play, runtime, tmp_path):
    code, printed, found = play(variables={"hub-2": runtime})

    assert code == 0, printed
    assert found["windows"] == ["hub-1", "hub-2", "hub-3", "spoke-1"]
    assert sorted(found["paths"]) == ["linux", "windows"]
    assert found["paths"]["windows"].endswith("-win_amd64.zip")
    assert found["path"] == found["paths"]["linux"]
    assert not (tmp_path / "out").exists()


def test_a_play_without_windows_hosts_asks_for_no_runtime(play):
    code, printed, found = play("--limit", "linux-1,spoke-2")

    assert code == 0, printed
    assert list(found["paths"]) == ["linux"]


def test_a_play_of_windows_hosts_builds_nothing_for_linux(play, runtime):
    code, printed, found = play("--limit", "hub-1", variables={"hub-1": runtime})

    assert code == 0, printed
    assert list(found["paths"]) == ["windows"]
    assert found["path"] == ""


def test_windows_hosts_that_name_different_runtimes_are_refused(play, runtime):
    code, printed, _dummy = play(
        variables={"hub-1": runtime, "hub-2": {**runtime, "wirefleet_windows_python": "/other"}}
    )

    assert code != 0
    assert "different runtimes" in printed


def test_a_file_of_another_sum_is_refused_in_words(play, runtime):
    runtime["wirefleet_windows_python_sha256"] = "0" * 64

    code, printed, _dummy = play(variables={"hub-1": runtime})

    assert code != 0
    assert "There is no bundle for windows: its SHA-256 is" in printed


def test_a_platform_that_is_none_is_refused(play):
    code, printed, _dummy = play("--limit", "linux-1", "-e", "wirefleet_platform=beos")

    assert code != 0
    assert "There is no bundle for beos" in printed
