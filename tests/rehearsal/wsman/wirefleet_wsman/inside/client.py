# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Talks to bridge.py, which runs inside the prefix: service control manager and registry of the host.

One process for each host, started on demand, one JSON line a call; it also says when a service's process ends.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

_BRIDGE = Path(__file__).with_name("bridge.py")
_CALL_TIMEOUT_S = 120.0

Event = dict[str, Any]


class InsideError(Exception):
    """The call failed inside; code is the Win32 error, 0 if there is none."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class _Pending:
    def __init__(self) -> None:
        self.arrived = threading.Event()
        self.reply: dict[str, Any] = {}


class Inside:
    """Calls into the prefix. on_event is called from a thread of its own for each event."""

    def __init__(self, prefix: Path) -> None:
        self._wpy = prefix / "wpy"
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._pending: dict[int, _Pending] = {}
        self._number = 0
        self.on_event: Callable[[Event], None] = lambda _event: None
        self.on_start: Callable[[], None] = lambda: None

    def call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """One call and its result. Raises InsideError."""
        pending = _Pending()
        started = False
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._process = self._start()
                started = True
            self._number += 1
            number = self._number
            self._pending[number] = pending
            line = json.dumps({"id": number, "operation": operation, **arguments})
            assert self._process.stdin
            try:
                self._process.stdin.write(line.encode("ascii") + b"\n")
                self._process.stdin.flush()
            except OSError as error:
                raise InsideError(f"the Windows side of this host is gone: {error}") from error
        if started:
            threading.Thread(target=self.on_start, daemon=True).start()
        if not pending.arrived.wait(_CALL_TIMEOUT_S):
            raise InsideError(f"{operation}: no answer from the Windows side")
        if "error" in pending.reply:
            raise InsideError(str(pending.reply["error"]), int(pending.reply.get("code", 0)))
        return dict(pending.reply["result"])

    def _start(self) -> subprocess.Popen[bytes]:
        bridge = "Z:" + str(_BRIDGE.resolve()).replace("/", "\\")
        process = subprocess.Popen(
            [self._wpy, bridge],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self._wpy.parent / "drive_c",
            env={**{k: os.environ[k] for k in ("PATH", "HOME", "USER") if k in os.environ}, "LC_ALL": "C.UTF-8"},
            start_new_session=True,
        )
        threading.Thread(target=self._read, args=(process,), daemon=True).start()
        return process

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout
        for line in process.stdout:
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if "event" in message:
                self.on_event(message)
                continue
            with self._lock:
                pending = self._pending.pop(int(message["id"]), None)
            if pending is not None:
                pending.reply = message
                pending.arrived.set()
        with self._lock:
            lost, self._pending = self._pending, {}
        for pending in lost.values():
            pending.reply = {"error": "the Windows side of this host has ended (is it booted?)"}
            pending.arrived.set()

    def close(self) -> None:
        """End the Windows side."""
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError):
            assert process.stdin
            process.stdin.close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
