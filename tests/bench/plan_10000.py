# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long ansible-playbook takes to plan a large fleet, from start to end.

usage: python tests/bench/plan_10000.py [--hosts 10000] [--format ini|yaml]

The inventory has three hubs, and spokes with a site prefix, a region and a public key each. Printed, in seconds: the
inventory alone (``ansible-inventory``; Ansible's own parser takes several times longer for YAML than for INI), the
first plan, a second run that changes nothing, and one that adds a host; each as the time that passed and the time that
processors worked for it, which says more on a busy machine. It fails if adding a host touches other slices than the new
one's and the hubs'.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PLAY = """
- name: The fleet has a plan
  hosts: hubs
  gather_facts: false
  tasks:
    - name: Plan
      wirefleet.wireguard.wg_plan:
      run_once: true
      register: planned
    - name: Report
      ansible.builtin.copy:
        content: "{{ planned.changed_slices | to_json }}"
        dest: "{{ playbook_dir }}/changed.json"
        mode: "0644"
      delegate_to: localhost
      run_once: true
"""
GROUP_VARS = """
wirefleet_overlay_prefixes: [10.64.0.0/16, fd86::/64]
wirefleet_site_supernets: [10.128.0.0/9]
"""


def public_key(name: str) -> str:
    return base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()


def fleet_variables(hosts: int) -> dict[str, dict[str, dict[str, object]]]:
    """Group -> host -> variables."""
    hubs = {f"hub-{n}": {"wirefleet_region": f"r{n}", "wirefleet_endpoint": f"192.0.2.{n}"} for n in (1, 2, 3)}
    spokes = {
        f"spoke-{n}": {
            "wirefleet_region": f"r{n % 3 + 1}",
            "wirefleet_site_prefixes": [f"10.{128 + n // 256}.{n % 256}.0/24"],
        }
        for n in range(hosts - 3)
    }
    fleet: dict[str, dict[str, dict[str, object]]] = {"hubs": dict(hubs), "spokes": dict(spokes)}
    for members in fleet.values():
        for name, variables in members.items():
            variables["wirefleet_public_key"] = public_key(name)
    return fleet


def write_inventory(directory: Path, fleet: dict[str, dict[str, dict[str, object]]], form: str) -> Path:
    (directory / "group_vars").mkdir(exist_ok=True)
    (directory / "group_vars" / "all.yml").write_text(GROUP_VARS)
    lines = []
    for group, members in fleet.items():
        if form == "ini":
            lines.append(f"[{group}]")
            for name, variables in members.items():
                lines.append(" ".join([name, *(f"{key}='{as_ini(value)}'" for key, value in variables.items())]))
        else:
            lines += [f"{group}:", "  hosts:"]
            for name, variables in members.items():
                lines += [f"    {name}:", *(f"      {key}: {json.dumps(value)}" for key, value in variables.items())]
    path = directory / f"hosts.{'ini' if form == 'ini' else 'yml'}"
    path.write_text("\n".join(lines) + "\n")
    return path


def as_ini(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@dataclass(frozen=True)
class Seconds:
    """Of one command and all processes that it starts."""

    passed: float
    worked: float

    def __str__(self) -> str:
        return f"{self.passed:.1f} s passed, {self.worked:.1f} s worked"


def worked_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def timed(command: str, *arguments: str, directory: Path) -> Seconds:
    """How long a command of Ansible takes."""
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "collections"),
        "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
    }
    program = Path(sys.executable).with_name(command)
    start, worked = time.monotonic(), worked_s()
    done = subprocess.run(
        [program, *arguments], cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    seconds = Seconds(time.monotonic() - start, worked_s() - worked)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return seconds


def measure(hosts: int, form: str, directory: Path) -> dict[str, Seconds]:
    """By step. Raises SystemExit if a step does not do what it should."""
    (directory / "play.yml").write_text(PLAY)
    (directory / "ansible.cfg").write_text("[defaults]\n")
    inventory = write_inventory(directory, fleet_variables(hosts), form)
    seconds = {
        "inventory": timed(
            "ansible-inventory", "-i", str(inventory), "--list", "--output", os.devnull, directory=directory
        )
    }
    for step, count in (("first", hosts), ("unchanged", hosts), ("one added", hosts + 1)):
        write_inventory(directory, fleet_variables(count), form)
        seconds[step] = timed("ansible-playbook", "-i", str(inventory), "play.yml", directory=directory)
        changed = set(json.loads((directory / "changed.json").read_text()))
        expected = {"first": count, "unchanged": 0, "one added": 4}[step]
        if len(changed) != expected:
            raise SystemExit(f"{step}: {len(changed)} slices changed, not {expected}")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=10000)
    parser.add_argument("--format", choices=["ini", "yaml"], default="ini")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        for step, seconds in measure(arguments.hosts, arguments.format, Path(directory)).items():
            print(f"{arguments.hosts} hosts, {arguments.format}: {step:10} {seconds}", flush=True)


if __name__ == "__main__":
    main()
