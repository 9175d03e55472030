# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs inside a namespace, each bounded in time and ended by its own number."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from wirefleet_lab.machine import SEARCH_PATH, in_namespace

from .errors import BenchError

COMMAND_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 3.0
_POLL_S = 0.02


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    return {**os.environ, "PATH": SEARCH_PATH, "LC_ALL": "C", **(extra or {})}


def run(
    namespace: str, *command: str, stdin: str = "", timeout_s: float = COMMAND_TIMEOUT_S, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run to the end in the namespace. Raises BenchError if it takes longer, or fails and ``check`` is set."""
    try:
        done = subprocess.run(
            in_namespace(namespace, command),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            env=environment(),
            start_new_session=True,  # Ctrl-C is ours to deal with
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"{' '.join(command)}: not done within {timeout_s:.0f} s") from None
    if check and done.returncode != 0:
        raise BenchError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip() or done.returncode}")
    return done


def wait_until(claim: Callable[[], object], what: str, timeout_s: float = 10.0, poll_s: float = _POLL_S) -> None:
    """Poll a claim about the machine. Raises BenchError after the timeout."""
    deadline = time.monotonic() + timeout_s
    while not claim():
        if time.monotonic() > deadline:
            raise BenchError(f"waited {timeout_s:.0f} s in vain until {what}")
        time.sleep(poll_s)


class Started:
    """A program that runs beside us in a namespace; leaving the ``with`` ends it."""

    def __init__(self, namespace: str, *command: str, extra_environment: Mapping[str, str] | None = None) -> None:
        self.command = command
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  # closed by stop
        self._process = subprocess.Popen(
            in_namespace(namespace, command),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env=environment(extra_environment),
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def output(self) -> str:
        """What it has printed so far, both streams."""
        size = os.fstat(self._output.fileno()).st_size
        return os.pread(self._output.fileno(), size, 0).decode(errors="replace")

    def finish(self, timeout_s: float) -> str:
        """Wait for its end; what it printed. Raises BenchError if it takes longer or fails."""
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise BenchError(f"{' '.join(self.command)}: not done within {timeout_s:.0f} s") from None
        if code != 0:
            raise BenchError(f"{' '.join(self.command)}: {self.output.strip()[-2000:] or code}")
        return self.output

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if that does not help. Safe to call again."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_TIMEOUT_S)
        self._output.close()
