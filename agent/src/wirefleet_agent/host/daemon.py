# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""``daemon start|stop``: the tunnel's service as a process of its own, where no service manager does it."""

# ruff: noqa: E402
from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

assert sys.platform != "win32"  # nothing below means anything there

from ..errors import DriverError, RefusedError, UnreachableError
from .control_client import control_of
from .control_protocol import Json
from .file_lock import FileLock
from .paths import TunnelPaths
from .private_files import make_private_dir, os_failure
from .restart import RestartOrder

_POLL_S = 0.05
_START_TIMEOUT_S = 20.0
_LOG_TAIL_BYTES = 16 * 1024


class Daemon:
    """Starts and stops one tunnel's daemon. A process is only ever signalled while it holds the tunnel's lock."""

    def __init__(self, paths: TunnelPaths) -> None:
        self._paths = paths
        self._lock = FileLock(paths.pid)
        self._client = control_of(paths, timeout_s=10.0)

    def start(self, *, wait_s: float | None, check: bool = False) -> Json:
        """Runs afterwards and answers. wait_s: also wait so long until the stored configuration is applied.

        Raises UnreachableError if it ends at once or does not answer in time; the message is its own last word.
        """
        found = self._client.try_call("ping")
        is_new = found is None
        if check:
            return {"changed": is_new, "running": not is_new, "pid": None if found is None else found["pid"]}
        process = self._spawn() if is_new else None
        reply = found or self._await(
            lambda: self._client.try_call("ping"), process, _START_TIMEOUT_S, "the daemon did not start in time"
        )
        is_ours = process is not None and process.pid == reply["pid"]
        if process is not None and not is_ours:
            # Somebody else was faster. Ours waits for the lock, and would take over when that one is stopped.
            process.kill()
            process.wait()
        if wait_s is not None and self._paths.conf.exists():
            self._await_tunnel(process if is_ours else None, wait_s)
        return {"changed": is_ours, "running": True, "pid": reply["pid"]}

    def stop(self, *, timeout_s: float = 30.0, check: bool = False) -> Json:
        """Does not run afterwards, and has cleaned up; after ``timeout_s`` it is killed. Idempotent."""
        holder = self._lock.holder()
        if holder is None or check:
            return {"changed": holder is not None, "running": check and holder is not None, "pid": holder}
        self._signal(holder, signal.SIGTERM)
        if not self._released(timeout_s):
            self._signal(holder, signal.SIGKILL)
            if not self._released(5.0):
                raise UnreachableError(f"process {holder} does not end", path=str(self._paths.pid))
        return {"changed": True, "running": False, "pid": None}

    def spawn_restart(self, order: RestartOrder) -> None:
        """See DaemonControl: in a session of its own, which the end of the caller's does not concern."""
        command = order.command(self._paths)
        null = subprocess.DEVNULL
        try:
            subprocess.Popen(command, stdin=null, stdout=null, stderr=null, cwd="/", start_new_session=True)
        except OSError as error:
            raise _exec_failure(command, error) from error

    def _spawn(self) -> subprocess.Popen[bytes]:
        paths = self._paths
        make_private_dir(paths.log.parent)
        command = [sys.executable, "-I", "-m", "wirefleet_agent", "--root", str(paths.host.root)]
        command += ["--tunnel", paths.name, "run", "--log-file", str(paths.log)]
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            log = os.open(paths.log, flags, 0o600)
        except OSError as error:
            raise os_failure("open", paths.log, error) from error
        try:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True
            )
        except OSError as error:
            raise _exec_failure(command, error) from error
        finally:
            os.close(log)

    def _await(
        self, ask: Callable[[], Json | None], process: subprocess.Popen[bytes] | None, timeout_s: float, complaint: str
    ) -> Json:
        limit = time.monotonic() + timeout_s
        while True:
            reply = ask()
            if reply is not None:
                return reply
            if process is not None and process.poll() is not None and self._lock.holder() is None:
                raise UnreachableError(
                    f"the daemon ended at once: {self._last_error()}", path=str(self._paths.log), hint="see its log"
                )
            if time.monotonic() >= limit:
                raise UnreachableError(complaint, path=str(self._paths.log), hint="see its log")
            time.sleep(_POLL_S)

    def _await_tunnel(self, process: subprocess.Popen[bytes] | None, wait_s: float) -> None:
        def applied() -> Json | None:
            reply = self._client.try_call("ping")
            return reply if reply and reply.get("is_configured") else None

        try:
            self._await(applied, process, wait_s, "the daemon runs, but its tunnel is not up yet")
        except UnreachableError as error:
            status = self._client.try_call("status") or {}
            problem = status.get("error")
            if isinstance(problem, dict):
                raise UnreachableError(
                    f"{error.message}: {problem.get('message')}", path=problem.get("path"), hint=problem.get("hint")
                ) from error
            raise

    def _signal(self, pid: int, signum: signal.Signals) -> None:
        """The descriptor pins the process; that it has the lock *after* it was pinned proves who it is."""
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)
            try:
                if self._lock.holder() == pid and self._lock.is_open_in(pid):
                    signal.pidfd_send_signal(descriptor, signum)
            except PermissionError as error:
                raise RefusedError(f"process {pid} belongs to another user", path=str(self._paths.pid)) from error
            finally:
                os.close(descriptor)

    def _released(self, timeout_s: float) -> bool:
        limit = time.monotonic() + timeout_s
        while self._lock.holder() is not None:
            if time.monotonic() >= limit:
                return False
            time.sleep(_POLL_S)
        return True

    def _last_error(self) -> str:
        """The last line of the log, or the event in it."""
        with contextlib.suppress(OSError), self._paths.log.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - _LOG_TAIL_BYTES))
            lines = stream.read().decode("utf-8", "replace").splitlines()
            for line in reversed(lines):
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    record = json.loads(line)
                    return str(record.get("error") or record["event"])
                return line
        return "it left no message"


def _exec_failure(command: list[str], error: OSError) -> DriverError:
    message = f"cannot start the daemon: {error.strerror}"
    return DriverError(message, call="exec", os_code=error.errno or 0, path=command[0])
