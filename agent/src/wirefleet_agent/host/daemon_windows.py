# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""``daemon start|stop`` on Windows: through the service control manager, which somebody has told of the service."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence

from ..errors import DriverError, RefusedError, UnreachableError, WireFleetError
from .control_client import ControlClient
from .control_protocol import Json
from .paths import TunnelPaths
from .releases import ReleaseStore
from .restart import RestartOrder
from .service_manager import STOP_TIMEOUT_S, ServiceManager, ServiceState, ServiceStatus, service_name

SPAWN_RESTART = "restart.spawn"

_POLL_S = 0.1
_START_TIMEOUT_S = 75.0  # a service vouches for its start for a minute
_GRACE_S = 5.0  # after the service's own watchdog
_HINT = "see its log and the event log; wirefleet-agent doctor"

# winbase.h
_DETACHED_PROCESS = 0x00000008
_CREATE_NEW_PROCESS_GROUP = 0x00000200
_CREATE_BREAKAWAY_FROM_JOB = 0x01000000
_ERROR_ACCESS_DENIED = 5

RunDetached = Callable[[Sequence[str], int], None]


class WindowsDaemon:
    """A DaemonControl. client: speaks to the service once it runs."""

    def __init__(self, tunnel: TunnelPaths, manager: ServiceManager, client: ControlClient) -> None:
        self._tunnel = tunnel
        self._name = service_name(tunnel.name)
        self._manager = manager
        self._client = client
        self.sleep: Callable[[float], None] = time.sleep
        self.clock: Callable[[], float] = time.monotonic
        self.run_detached: RunDetached = run_detached

    def start(self, *, wait_s: float | None, check: bool = False) -> Json:
        found = self._status()
        is_new = found.state in (ServiceState.STOPPED, ServiceState.STOP_PENDING)
        if check:
            return {"changed": is_new, "running": not is_new, "pid": found.pid}
        if is_new:
            self._await_state(ServiceState.STOPPED, STOP_TIMEOUT_S + _GRACE_S, "the service does not end")
            self._manager.start(self._name)
        running = self._await_running()
        if wait_s is not None and self._tunnel.conf.exists():
            self._await_tunnel(wait_s)
        return {"changed": is_new, "running": True, "pid": running.pid}

    def stop(self, *, timeout_s: float = 30.0, check: bool = False) -> Json:
        found = self._manager.status(self._name)
        if found is None or found.state is ServiceState.STOPPED:
            return {"changed": False, "running": False, "pid": None}
        if check:
            return {"changed": True, "running": True, "pid": found.pid}
        if found.state is not ServiceState.STOP_PENDING:
            if found.state is ServiceState.START_PENDING and not self._is_started():
                return {"changed": True, "running": False, "pid": None}
            self._manager.stop(self._name)
        # Its watchdog ends it after 30 s; we kill nobody: a process id may be another's by then.
        limit_s = max(timeout_s, STOP_TIMEOUT_S) + _GRACE_S
        self._await_state(ServiceState.STOPPED, limit_s, "the service does not end")
        return {"changed": True, "running": False, "pid": None}

    def spawn_restart(self, order: RestartOrder) -> None:
        """By the running service: its child is in none of the jobs that WinRM or a scheduled task puts callers in.

        Without a service that answers, the caller starts it, out of his job if that lets anybody out.
        """
        if self._is_spawned_by_service(order):
            return
        command = order.command(self._tunnel)
        flags = _DETACHED_PROCESS | _CREATE_NEW_PROCESS_GROUP
        try:
            try:
                self.run_detached(command, flags | _CREATE_BREAKAWAY_FROM_JOB)
            except OSError as error:
                if getattr(error, "winerror", None) != _ERROR_ACCESS_DENIED:
                    raise
                self.run_detached(command, flags)
        except OSError as error:
            raise _spawn_failure(command, error) from error

    def _is_spawned_by_service(self, order: RestartOrder) -> bool:
        """A service that hangs, or is of another version, is a reason to restart it and none to give up."""
        try:
            return self._client.try_call(SPAWN_RESTART, order.as_dict()) is not None
        except WireFleetError:
            return False

    def _status(self) -> ServiceStatus:
        found = self._manager.status(self._name)
        if found is None:
            raise RefusedError(
                "the service is not registered",
                path=self._name,
                hint="the collection's tunnel_service does it; in a console: wirefleet-agent run",
            )
        return found

    def _await_running(self) -> ServiceStatus:
        """Runs and answers."""
        limit = self.clock() + _START_TIMEOUT_S
        while True:
            found = self._status()
            if found.state is ServiceState.RUNNING and self._client.try_call("ping") is not None:
                return found
            if found.state is ServiceState.STOPPED:
                raise UnreachableError(f"the service ended at once: {found.why_ended()}", path=self._name, hint=_HINT)
            if self.clock() >= limit:
                raise UnreachableError("the service did not start in time", path=self._name, hint=_HINT)
            self.sleep(_POLL_S)

    def _is_started(self) -> bool:
        """Once it takes orders, which it does not before; False if it ended by itself."""
        limit = self.clock() + _START_TIMEOUT_S
        while (state := self._status().state) is ServiceState.START_PENDING:
            if self.clock() >= limit:
                raise UnreachableError("the service did not start in time", path=self._name, hint=_HINT)
            self.sleep(_POLL_S)
        return state is not ServiceState.STOPPED

    def _await_tunnel(self, wait_s: float) -> None:
        limit = self.clock() + wait_s
        while not (self._client.try_call("ping") or {}).get("is_configured"):
            if self.clock() >= limit:
                raise self._tunnel_is_not_up()
            self.sleep(_POLL_S)

    def _tunnel_is_not_up(self) -> UnreachableError:
        message = "the service runs, but its tunnel is not up yet"
        problem = (self._client.try_call("status") or {}).get("error")
        if not isinstance(problem, dict):
            return UnreachableError(message, path=self._name, hint=_HINT)
        return UnreachableError(
            f"{message}: {problem.get('message')}", path=problem.get("path"), hint=problem.get("hint")
        )

    def _await_state(self, wanted: ServiceState, limit_s: float, complaint: str) -> None:
        limit = self.clock() + limit_s
        while (found := self._status()).state is not wanted:
            if self.clock() >= limit:
                raise UnreachableError(f"{complaint} (process {found.pid})", path=self._name, hint=_HINT)
            self.sleep(_POLL_S)


def run_detached(command: Sequence[str], flags: int) -> None:
    """Raises OSError."""
    null = subprocess.DEVNULL
    subprocess.Popen(list(command), stdin=null, stdout=null, stderr=null, creationflags=flags, close_fds=True, cwd=None)


def spawn_from_service(tunnel: TunnelPaths, order: RestartOrder, run: RunDetached = run_detached) -> None:
    """In the service: the child of a service outlives whoever asked, and the service too. Raises DriverError.

    After an upgrade the child is of the release that is current now, which knows how its own service answers.
    """
    releases = ReleaseStore(tunnel.host).list().releases
    current = next((tunnel.host.release_dir / each.version / "python.exe" for each in releases if each.active), None)
    command = order.command(tunnel, None if current is None else str(current))
    try:
        run(command, _DETACHED_PROCESS | _CREATE_NEW_PROCESS_GROUP)
    except OSError as error:
        raise _spawn_failure(command, error) from error


def _spawn_failure(command: Sequence[str], error: OSError) -> DriverError:
    code = getattr(error, "winerror", None) or error.errno or 0
    return DriverError(error.strerror or str(error), call="CreateProcess", os_code=code, path=command[0])
