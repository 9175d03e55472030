# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Windows host of the rehearsal: a Wine prefix for its disk, a network namespace for its network, a power switch."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wirefleet_lab.machine import in_namespace, pids_in

from .cache import RehearsalError
from .prefix import make_prefix, remove_session

BOOT_TIMEOUT_S = 90.0
COMMAND_TIMEOUT_S = 120.0
END_TIMEOUT_S = 15.0


@dataclass(frozen=True)
class WineHost:
    """name: as in the inventory. namespace: None runs it in the namespace of the caller. cpu: where all of it runs."""

    name: str
    directory: Path
    namespace: str | None
    cpu: int

    @property
    def prefix(self) -> Path:
        return self.directory / "wine"

    @property
    def drive_c(self) -> Path:
        return self.prefix / "drive_c"

    def build(self) -> None:
        """Make the disk; keeps one that is there."""
        make_prefix(self.prefix, self.cpu)

    def boot(self) -> None:
        """Power on, and wait until the services have been started that start by themselves."""
        done = self._run([str(self.prefix / "wboot")], BOOT_TIMEOUT_S)
        if done.returncode != 0 or not self.is_running():
            raise RehearsalError(f"{self.name} did not boot (exit code {done.returncode})", f"see {self.prefix}")

    def execute(
        self, *words: str, stdin: str = "", timeout_s: float = COMMAND_TIMEOUT_S
    ) -> subprocess.CompletedProcess[str]:
        """Run one Windows command line on the host and wait for its end."""
        return self._run([str(self.prefix / "wexec"), *words], timeout_s, stdin)

    def linux(self, *words: str, timeout_s: float = COMMAND_TIMEOUT_S) -> subprocess.CompletedProcess[str]:
        """Run a Linux command in the host's network: for looking at it from outside."""
        return self._run(list(words), timeout_s)

    def _run(self, words: list[str], timeout_s: float, stdin: str = "") -> subprocess.CompletedProcess[str]:
        argv = in_namespace(self.namespace, words) if self.namespace else words
        return subprocess.run(
            argv, input=stdin, capture_output=True, text=True, errors="replace", timeout=timeout_s, check=False
        )

    def pids(self) -> list[int]:
        """Processes of this host: those that carry its prefix in their environment."""
        marker = f"WINEPREFIX={self.prefix}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    if marker in (entry / "environ").read_bytes().split(b"\0"):
                        found.append(int(entry.name))
        return sorted(found)

    def is_running(self) -> bool:
        return any(_command(pid).partition(" ")[0].endswith("wineserver64") for pid in self.pids())

    def pids_of(self, words: Sequence[str]) -> list[int]:
        """Processes of this host whose command line contains all of these words."""
        return [pid for pid in self.pids() if all(word in _command(pid) for word in words)]

    def power_off(self) -> None:
        """End the session as a shutdown does: the registry is written."""
        if self.prefix.exists():
            self._run([str(self.prefix / "wshutdown")], BOOT_TIMEOUT_S)
        self.power_cut()

    def power_cut(self) -> None:
        """Pull the plug: everything that runs on the host ends at once, and nothing is written any more."""
        mine = set(self.pids())
        if self.namespace:
            mine |= set(pids_in(self.namespace))
        for pid in mine:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + END_TIMEOUT_S
        while any(_exists(pid) for pid in mine):
            if time.monotonic() > deadline:
                raise RehearsalError(f"{self.name}: processes do not end: {[pid for pid in mine if _exists(pid)]}")
            time.sleep(0.05)
        remove_session(self.prefix)

    def remove(self) -> None:
        """No process and no file is left."""
        self.power_cut()
        shutil.rmtree(self.directory, ignore_errors=True)


def _command(pid: int) -> str:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _exists(pid: int) -> bool:
    """Whether the process still does anything; one that nobody has waited for does not count."""
    try:
        stat = (Path("/proc") / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
