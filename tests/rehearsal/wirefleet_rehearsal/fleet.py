# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rehearsal with playbooks run on it: what the scenarios do, and what they look at."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from wirefleet_lab.machine import in_namespace
from wirefleet_lab.runs import Run

from . import lifecycle
from .cache import CHECKOUT
from .cli import environment
from .host import WineHost
from .topology import ALL_HOSTS, CONTROLLER, WINDOWS_HOSTS, Rehearsal

RUN_TIMEOUT_S = 600.0
_PING = ["ping", "-n", "-q", "-c", "3", "-i", "0.2", "-w", "6"]


@dataclass
class Fleet:
    """Hosts, playbooks, and the measurements that the report shows."""

    rehearsal: Rehearsal
    home: Path
    runs: list[Run] = field(default_factory=list)

    def inventory(self, *without: str, **host_variables: dict[str, object]) -> Path:
        """A copy of inventories/rehearsal without some hosts, or with other variables for some."""
        target = self.home / "inventory"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(CHECKOUT / "inventories" / "rehearsal", target)
        document = yaml.safe_load((target / "hosts.yml").read_text(encoding="utf-8"))
        for group in document["rehearsal"]["children"].values():
            for name in without:
                group["hosts"].pop(name, None)
        for group in ("hubs", "spokes"):
            hosts = document["rehearsal"]["children"][group]["hosts"]
            for name in hosts:
                hosts[name] = {**(hosts[name] or {}), **host_variables.get(name.replace("-", "_"), {})}
        (target / "hosts.yml").write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
        return target

    def play(self, playbook: str, *arguments: str, inventory: Path | None = None, at: str = CONTROLLER) -> Run:
        """Run a playbook of the checkout to its end, in the network of the controller or of a host."""
        path = CHECKOUT / "playbooks" / f"{playbook}.yml"
        return self._ansible(["ansible-playbook", str(path), *arguments], inventory, at)

    def module(
        self, host: str, module: str, options: dict[str, object], inventory: Path | None = None, at: str = CONTROLLER
    ) -> Run:
        """Run one module on one host."""
        return self._ansible(["ansible", host, "-m", module, "-a", json.dumps(options)], inventory, at)

    def _ansible(self, command: list[str], inventory: Path | None, at: str) -> Run:
        started = time.monotonic()
        kept = {key: value for key, value in environment(self.rehearsal).items() if key != "ANSIBLE_LOG_PATH"}
        done = subprocess.run(
            in_namespace(self.rehearsal.namespace(at), [*command, "-i", str(inventory or self.inventory())]),
            cwd=self.home,
            env={**kept, "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=RUN_TIMEOUT_S,
            check=False,
        )
        self.runs.append(Run(done.returncode, done.stdout, time.monotonic() - started))
        with (self.home / "ansible.log").open("a", encoding="utf-8") as log:
            log.write(f"===== {' '.join(command)} ({self.runs[-1].duration_s:.1f} s)\n{done.stdout}\n")
        return self.runs[-1]

    def windows(self, name: str) -> WineHost:
        return lifecycle.wine_host(self.rehearsal, name)

    def linux(self, name: str, *words: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a Linux command in the network of a machine of the rehearsal."""
        argv = in_namespace(self.rehearsal.namespace(name), list(words))
        return subprocess.run(argv, capture_output=True, text=True, timeout=timeout_s, check=False)

    def tunnel(self, host: str) -> str:
        """The name of a host's tunnel, as in the inventory."""
        return {"spoke-1": "上海-01", "spoke-2": f"{self.rehearsal.prefix}-spoke-2"}.get(host, "wf0")

    def service(self, host: str) -> str:
        return f"wirefleet-{self.tunnel(host)}"

    def root(self, host: str) -> Path:
        """The agent's root directory, as Linux sees it."""
        if host in WINDOWS_HOSTS:
            return self.windows(host).drive_c / "Program Files" / "WireFleet"
        return self.rehearsal.directory(host)

    def overlay(self, host: str, family: int = 4) -> str:
        """A host's overlay address, from the plan's lock file."""
        lock = json.loads((self.rehearsal.state / "wirefleet.lock.json").read_text(encoding="utf-8"))
        mark = "." if family == 4 else ":"
        addresses: list[str] = lock["hosts"][host]["addresses"]
        return next(address for address in addresses if mark in address).partition("/")[0]

    def agent(self, host: str, *verb: str) -> dict[str, Any]:
        """Ask the agent of a Windows host, on the host itself, without Ansible."""
        root = "C:\\Program Files\\WireFleet"
        release = (self.root(host) / "current").read_text(encoding="ascii").strip()
        words = [f"{root}\\releases\\{release}\\python.exe", "-I", "-m", "wirefleet_agent"]
        done = self.windows(host).execute(*words, "--root", root, "--tunnel", self.tunnel(host), *verb, "--json")
        assert done.returncode in (0, 4), (done.stdout, done.stderr)
        reply: dict[str, Any] = json.loads(done.stdout)
        return reply

    def service_pids(self, host: str) -> list[int]:
        """Linux numbers of the processes of a Windows host's tunnel service."""
        return self.windows(host).pids_of(["python.exe", "wirefleet_agent", "service"])

    def ping(self, source: str, address: str) -> bool:
        return self.linux(source, *_PING, address).returncode == 0

    def unreachable_paths(self, hosts: tuple[str, ...] = ALL_HOSTS) -> list[tuple[str, str, int]]:
        """Ordered pairs that do not answer over the overlay; everybody is asked, both families."""
        jobs = [(a, b, family) for a, b in permutations(hosts, 2) for family in (4, 6)]
        with ThreadPoolExecutor(4) as pool:
            answers = pool.map(lambda job: self.ping(job[0], self.overlay(job[1], job[2])), jobs)
            return [job for job, is_answered in zip(jobs, answers, strict=True) if not is_answered]

    @staticmethod
    def wait_until(claim: Callable[[], bool], timeout_s: float) -> bool:
        """Whether the claim became true in time."""
        deadline = time.monotonic() + timeout_s
        while not claim():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.5)
        return True

    @contextmanager
    def pings(self, source: str, target: str, interval_s: float = 0.1) -> Iterator[Pings]:
        """An uninterrupted series of pings over the overlay while something else happens."""
        words = ["ping", "-n", "-q", "-i", str(interval_s), self.overlay(target)]
        argv = in_namespace(self.rehearsal.namespace(source), words)
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        pings = Pings(process)
        try:
            yield pings
        finally:
            pings.end()


@dataclass
class Pings:
    """A series of pings: how many were sent and how many were not answered."""

    process: subprocess.Popen[str]
    sent: int = 0
    lost: int = 0

    def end(self) -> None:
        """End the series; does nothing the second time."""
        if self.process.poll() is None:
            self.process.send_signal(2)
            output, _nothing = self.process.communicate(timeout=30)
            found = re.search(r"(\d+) packets transmitted, (\d+) received", output)
            assert found is not None, output
            self.sent = int(found[1])
            self.lost = max(0, self.sent - int(found[2]) - 1)  # the last one may have been under way
