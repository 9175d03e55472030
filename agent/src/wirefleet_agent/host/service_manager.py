# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What we ask of Windows' service control manager, and what we tell it: two narrow interfaces."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Protocol

from .paths import TunnelPaths

SERVICE_PREFIX = "wirefleet-"
STOP_TIMEOUT_S = 30.0

SERVICE_SPECIFIC_ERROR = 1066  # winerror.h: the real code is the service's own


class ExitCode(IntEnum):
    """Why the service ended; beside 1066 where it did not end well. A faulty configuration is no reason to end."""

    STOPPED = 0
    INTERNAL_ERROR = 1
    STOP_HUNG = 2
    TUNNEL_IN_USE = 3
    NO_CONTROL_PIPE = 4


EXIT_MEANINGS = {
    ExitCode.INTERNAL_ERROR: "a mistake of ours ended it",
    ExitCode.STOP_HUNG: "it did not stop in time and was ended by its watchdog",
    ExitCode.TUNNEL_IN_USE: "another process serves this tunnel",
    ExitCode.NO_CONTROL_PIPE: "its control pipe could not be made",
}


class ServiceControl(Enum):
    """What the service control manager asks for or reports."""

    STOP = "stop"
    SHUTDOWN = "shutdown"
    PRESHUTDOWN = "preshutdown"
    SUSPEND = "suspend"
    RESUME = "resume"
    NETWORK_CHANGED = "network_changed"


class ServiceState(Enum):
    STOPPED = "stopped"
    START_PENDING = "start_pending"
    STOP_PENDING = "stop_pending"
    RUNNING = "running"
    OTHER = "other"


class StartType(Enum):
    AUTOMATIC = "automatic"
    MANUAL = "manual"
    DISABLED = "disabled"
    OTHER = "other"


@dataclass(frozen=True)
class ServiceStatus:
    """pid: None while nothing runs. exit_code: Win32's; specific_exit_code: ours, if that is 1066."""

    state: ServiceState
    pid: int | None = None
    exit_code: int = 0
    specific_exit_code: int = 0

    def why_ended(self) -> str:
        """In words, for an operator."""
        if self.exit_code == SERVICE_SPECIFIC_ERROR:
            meanings = {int(code): text for code, text in EXIT_MEANINGS.items()}
            known = meanings.get(self.specific_exit_code, "unknown")
            return f"service-specific exit code {self.specific_exit_code}: {known}"
        return f"exit code {self.exit_code}"


@dataclass(frozen=True)
class ServiceConfig:
    """How a service is registered. None: this system does not tell."""

    command: str
    start_type: StartType
    account: str
    dependencies: tuple[str, ...] = ()
    required_privileges: tuple[str, ...] | None = None
    is_delayed: bool | None = None


class ServiceManager(Protocol):
    """Services of this machine by their name. Raises DriverError."""

    def status(self, name: str) -> ServiceStatus | None:
        """None: there is no such service."""

    def config(self, name: str) -> ServiceConfig | None:
        """None: there is no such service."""

    def start(self, name: str) -> None:
        """Only asks for it; one that runs is left alone."""

    def stop(self, name: str) -> None:
        """Only asks for it; one that does not run is left alone."""

    def set_start_type(self, name: str, start_type: StartType) -> None: ...

    def set_command(self, name: str, command: str) -> None: ...

    def set_required_privileges(self, name: str, privileges: Collection[str]) -> None: ...


class StatusReporter(Protocol):
    """The service's own word to the manager. From any thread."""

    def start_pending(self, wait_hint_s: float) -> None:
        """Each call counts as progress."""

    def running(self) -> None: ...

    def stop_pending(self, wait_hint_s: float) -> None:
        """Each call counts as progress."""

    def stopped(self, code: ExitCode) -> None:
        """The last word: afterwards the manager may end the process."""


ControlHandler = Callable[[ServiceControl], None]
TakeHandler = Callable[[ControlHandler], None]


def service_name(tunnel: str) -> str:
    return SERVICE_PREFIX + tunnel


def service_command(tunnel: TunnelPaths, release: str) -> str:
    """What the service's ImagePath has to be for one release."""
    root = tunnel.host.root
    python = tunnel.host.release_dir / release / "python.exe"
    return f'"{python}" -I -m wirefleet_agent --root "{root}" --tunnel "{tunnel.name}" service'
