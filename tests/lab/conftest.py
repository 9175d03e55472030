# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab of the tests' own, with a fleet on it, beside whatever lab the user runs."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "lab"))

from wirefleet_lab.runs import Run  # noqa: E402  # once it can be found

LAB = CHECKOUT / "lab" / "lab.py"
RUN_TIMEOUT_S = 420
ALL_HOSTS = ("hub-1", "hub-2", "hub-3", "spoke-1", "spoke-2", "spoke-3")


@dataclass
class Fleet:
    """The lab and the playbooks that run on it."""

    prefix: str
    home: Path
    runs: list[Run] = field(default_factory=list)

    @property
    def state(self) -> Path:
        return self.home / "lab"

    @property
    def secret_path(self) -> Path:
        return self.home / "secrets" / "preshared.key"

    @property
    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "WIREFLEET_"))}
        return {
            **kept,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)]),
            "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOG_PATH": str(self.home / "ansible.log"),
            "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
            "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(self.home / "facts"),
            "WIREFLEET_LAB_PREFIX": self.prefix,
            "WIREFLEET_LAB_STATE": str(self.state),
        }

    def inventory(self, *without: str, **host_variables: dict[str, object]) -> Path:
        """A copy of the lab's inventory without some hosts, or with other variables for some."""
        target = self.home / "inventory"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(CHECKOUT / "inventories" / "lab", target, ignore=shutil.ignore_patterns(".wirefleet*"))
        document = yaml.safe_load((target / "hosts.yml").read_text(encoding="utf-8"))
        for group in document["lab"]["children"].values():
            for name in list(group["hosts"]):
                if name in without:
                    del group["hosts"][name]
                elif (variables := host_variables.get(name.replace("-", "_"))) is not None:
                    group["hosts"][name] = {**(group["hosts"][name] or {}), **variables}
        (target / "hosts.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
        with (target / "group_vars" / "lab.yml").open("a", encoding="utf-8") as variables_file:
            variables_file.write("wirefleet_preshared_keys: true\n")
            variables_file.write(f"wirefleet_preshared_secret_path: {self.secret_path}\n")
        return target

    def play(self, playbook: str, *arguments: str, inventory: Path | None = None) -> Run:
        """Run a playbook of the checkout to its end."""
        path = CHECKOUT / "playbooks" / f"{playbook}.yml"
        return self._ansible(["ansible-playbook", str(path)], arguments, inventory)

    def module(self, host: str, module: str, options: dict[str, object], *arguments: str) -> Run:
        """Run one module of the collection on one host."""
        name = f"wirefleet.wireguard.{module}"
        return self._ansible(["ansible", host, "-m", name, "-a", json.dumps(options)], arguments, None)

    def _ansible(self, command: list[str], arguments: tuple[str, ...], inventory: Path | None) -> Run:
        started = time.monotonic()
        done = subprocess.run(
            [*command, "-i", str(inventory or self.inventory()), *arguments],
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=RUN_TIMEOUT_S,
            check=False,
        )
        self.runs.append(Run(done.returncode, done.stdout, time.monotonic() - started))
        return self.runs[-1]

    def lab(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the lab tool on this lab."""
        return subprocess.run(
            [sys.executable, str(LAB), *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def inside(self, name: str, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the namespace of a host or LAN."""
        command = ["nsenter", f"--net=/run/netns/{self.prefix}-{name}", "--", *argv]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def wg(self, host: str, what: str) -> str:
        return self.inside(host, "wg", "show", f"{self.prefix}-{host}", what).stdout

    def root(self, host: str) -> Path:
        return self.state / "hosts" / host

    def agent_files(self) -> dict[str, bytes]:
        """Keys, configurations and plan by path: what a run in check mode must not touch."""
        kept = [*self.state.glob("hosts/*/etc/**/*"), *self.state.glob("hosts/*/var/lib/**/*")]
        kept += [*self.state.glob("plan/**/*"), *self.state.glob("*.json")]
        return {str(path): path.read_bytes() for path in kept if path.is_file()}

    def public_key(self, host: str) -> str:
        return self.wg(host, "public-key").strip()

    @staticmethod
    def wait_until(claim: Callable[[], bool], timeout_s: float) -> bool:
        """Whether the claim became true in time."""
        deadline = time.monotonic() + timeout_s
        while not claim():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.25)
        return True

    def unreachable_paths(self) -> list[dict[str, object]]:
        """Ordered pairs that do not answer; everybody is asked, both families."""
        document = json.loads(self.lab("reach", "--json").stdout)
        return [path for path in document["paths"] if path["latency_ms"] is None]


class ProcessWatch:
    """Samples what every process shows of itself: command line and environment."""

    def __init__(self, interval_s: float = 0.05) -> None:
        self.seen: set[bytes] = set()
        self._interval_s = interval_s
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> ProcessWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(self._interval_s):
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit():
                    for part in ("cmdline", "environ"):
                        with contextlib.suppress(OSError):
                            self.seen.add((entry / part).read_bytes())


def new_fleet(home: Path) -> Fleet:
    return Fleet(prefix=f"wf-t-{os.getpid() % 256:02x}", home=home)


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A lab that is up and has no agent yet; taken away at the end."""
    fleet = new_fleet(tmp_path_factory.mktemp("fleet"))
    try:
        run = fleet.play("lab_up")
        assert run.returncode == 0, run.output
        yield fleet
    finally:
        fleet.lab("down")


@dataclass
class FirstRun:
    """What happened when the fleet was brought up from nothing, preshared keys included."""

    check: Run
    files_after_check: dict[str, bytes]
    run: Run
    processes: ProcessWatch


@pytest.fixture(scope="session")
def first_run(fresh: Fleet) -> FirstRun:
    """The whole way from an untouched lab: first in check mode, then for real, with everything shown."""
    check = fresh.play("site", "--check", "--diff")
    files_after_check = fresh.agent_files()
    with ProcessWatch() as processes:
        run = fresh.play("site", "-vvv", "--diff")
    return FirstRun(check, files_after_check, run, processes)


@pytest.fixture
def fleet(fresh: Fleet, first_run: FirstRun) -> Fleet:
    """The converged fleet. A test that changes it brings it back."""
    assert first_run.run.returncode == 0, first_run.run.output[-8000:]
    return fresh


@pytest.fixture
def converged_afterwards(fleet: Fleet) -> Iterator[None]:
    yield
    run = fleet.play("site")
    assert run.returncode == 0, run.output[-8000:]
