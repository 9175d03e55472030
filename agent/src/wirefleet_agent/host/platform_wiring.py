# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What the wiring of each platform has to say to the common one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dishka import BaseScope, Provider, new_scope


class HostScope(BaseScope):
    """How long things live."""

    DAEMON = new_scope("DAEMON")
    TUNNEL = new_scope("TUNNEL")


class HostProcess(Protocol):
    """The process around a tunnel's service."""

    def run(self) -> None:
        """Until it is told to stop. Raises WireFleetError."""


class UapiEndpoint(Protocol):
    """Where wg(8) finds the tunnel."""

    def start(self) -> None:
        """Raises DriverError."""

    def stop(self) -> None:
        """Idempotent."""


@dataclass(frozen=True)
class Platform:
    """process: what runs a tunnel there, a HostProcess. providers: of everything that differs between platforms."""

    name: str
    process: type[HostProcess]
    providers: tuple[type[Provider], ...]
