# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's own tests under Windows CPython in Wine, on a host of their own, beside whatever else is rehearsed.

They need one processor for two minutes, while the scenarios mostly wait for hosts: so they start early, with the lowest
priority, and are waited for before anything is measured.
"""

from __future__ import annotations

import os
import subprocess
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from wirefleet_lab.machine import add_namespace, in_namespace, ip_batch, namespace_exists, run, stop_processes

from . import toolchain
from .cache import CHECKOUT, RehearsalError
from .host import WineHost

FOLDERS = (
    "wire", "crypto", "core", "ha", "config", "dataplane", "control", "observe", "layers",
    "conformance", "fuzz", "drivers", "contract", "engine", "host", "wiring",
)  # fmt: skip
# Files that import what only Linux has; what they are about does not exist on Windows. Single such tests: linux_only.
NOT_RUN = {
    "drivers/test_linux_drivers.py": "the Linux drivers",
    "drivers/test_linux_offloads.py": "what Linux cuts and joins",
    "drivers/test_monitor_linux.py": "which of Linux's messages count",
    "drivers/test_quiet_interface.py": "netlink's settings of a Linux interface",
    "engine/test_uapi_server.py": "the UAPI over Unix sockets; test_uapi_pipe.py has the same answers over pipes",
    "host/test_tun_command.py": "wirefleet-tun, the wg-quick helper of Linux",
    # Minutes of pure functions on a simulated network, which know no platform: all the time they had here told nothing.
    "ha/test_no_circles.py": "a model of hubs and spokes",
    "ha/test_no_site_circles.py": "the same with LANs",
    "engine/test_ha_hostile.py": "hostile heartbeats on the simulated network",
    "engine/test_ha_foreign_changes.py": "changes by others on the simulated network",
    "host/test_redundancy.py": "the service with heartbeats on the simulated network",
    "host/test_sites.py": "the same with LANs that have two gateways",
    "conformance/test_soak.py": "long runs on the simulated network",
    "host/test_health.py::test_an_idle_session_is_healthy_at_every_moment_whoever_keeps_it_warm": "an hour of it",
}
_RUN = "import os, sys; os.chdir(sys.argv.pop(1)); import pytest; sys.exit(pytest.main(sys.argv[1:]))"


@dataclass
class Outcome:
    """failed: failures and errors. output: the end of what pytest printed."""

    passed: int
    failed: int
    skipped: int
    output: str


class AgentTests:
    """Start, wait for the outcome, close; each may be called again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._namespace = f"wf-rt{os.getpid() % 256:02x}"
        self._host = WineHost("toolchain", directory, self._namespace, cpu=1)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Boot the host and begin."""
        if self._process is not None:
            return
        add_namespace(self._namespace)
        ip_batch(self._namespace, ["link set lo up"])
        self._host.build()
        toolchain.install(self._host)
        self._host.boot()
        options = ["-q", "-p", "no:cacheprovider", "-o", "addopts=--import-mode=importlib", "--timeout", "120"]
        options += ["-m", "not netns and not slow", "--junitxml", toolchain.windows_path(self._outcome)]
        options += [f"--{'deselect' if '::' in name else 'ignore'}=agent/tests/{name}" for name in NOT_RUN]
        folders = [f"agent/tests/{folder}" for folder in FOLDERS]
        words = [toolchain.PYTHON, "-B", "-c", _RUN, toolchain.windows_path(CHECKOUT), *options, *folders]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                in_namespace(self._namespace, ["nice", "-n", "19", str(self._host.prefix / "wexec"), *words]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def _outcome(self) -> Path:
        return self._directory / "outcome.xml"

    @property
    def _log(self) -> Path:
        return self._directory / "pytest.log"

    def wait(self, timeout_s: float) -> Outcome:
        """The outcome. Raises RehearsalError if there is none."""
        self.start()
        assert self._process is not None
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise RehearsalError(f"the agent's tests are not done after {timeout_s:.0f} s") from error
        said = self._log.read_text(errors="replace")[-8000:]
        if not self._outcome.exists():
            raise RehearsalError(f"the agent's tests gave no outcome: {said}")
        suite = next(ElementTree.parse(self._outcome).getroot().iter("testsuite"))
        tests, failures, errors, skipped = (int(suite.get(n, "0")) for n in ("tests", "failures", "errors", "skipped"))
        return Outcome(tests - failures - errors - skipped, failures + errors, skipped, said)

    def close(self) -> None:
        """Leave no process, no namespace and no file."""
        self._host.remove()
        if self._process is not None:
            self._process.wait()
        if namespace_exists(self._namespace):
            stop_processes(self._namespace)
            run(["ip", "netns", "delete", self._namespace])
