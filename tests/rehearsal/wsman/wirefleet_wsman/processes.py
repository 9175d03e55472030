# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Linux processes started on behalf of a command, so that the command can be ended with all of them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path


class ScopeEndedError(Exception):
    """The command was terminated; nothing may be started for it any more."""


class ProcessScope:
    """The processes of one command, each the leader of its own group."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processes: list[subprocess.Popen[bytes]] = []
        self.ended = threading.Event()

    def start(
        self, arguments: Sequence[str | Path], *, environment: Mapping[str, str], directory: Path, has_input: bool
    ) -> subprocess.Popen[bytes]:
        """Start a process with pipes for its output. Raises ScopeEndedError, OSError."""
        with self._lock:
            if self.ended.is_set():
                raise ScopeEndedError("the command was terminated")
            process = subprocess.Popen(
                [str(argument) for argument in arguments],
                stdin=subprocess.PIPE if has_input else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=directory,
                env=dict(environment),
                start_new_session=True,
            )
            self._processes.append(process)
            return process

    def forget(self, process: subprocess.Popen[bytes]) -> None:
        """The process has been waited for."""
        with self._lock, contextlib.suppress(ValueError):
            self._processes.remove(process)

    def end(self) -> None:
        """Kill every process group. Idempotent."""
        with self._lock:
            self.ended.set()
            for process in self._processes:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
