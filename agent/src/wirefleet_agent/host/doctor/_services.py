# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Services of Windows: ours as it is registered, and the one that makes adapters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...errors import DriverError
from ..event_sources import EventSourceStore
from ..paths import TunnelPaths
from ..process_windows import KEPT_PRIVILEGES
from ..service_manager import ServiceManager, ServiceState, StartType, service_command, service_name
from ._findings import CheckOnly, Finding, Severity

NETSETUP = "NetSetupSvc"


class ServiceIsRegistered(CheckOnly):
    def __init__(self, tunnel: TunnelPaths, manager: ServiceManager) -> None:
        self._name = service_name(tunnel.name)
        self._manager = manager

    def find(self) -> Sequence[Finding]:
        if self._manager.config(self._name) is not None:
            return []
        hint = "run the collection's tunnel_service again"
        return [Finding("service_missing", Severity.ERROR, f"there is no service {self._name}", hint)]


class ServiceStartsByItself:
    def __init__(self, tunnel: TunnelPaths, manager: ServiceManager) -> None:
        self._name = service_name(tunnel.name)
        self._manager = manager

    def find(self) -> Sequence[Finding]:
        config = self._manager.config(self._name)
        if config is None or config.start_type is StartType.AUTOMATIC:
            return []
        is_disabled = config.start_type is StartType.DISABLED
        code, severity = ("service_disabled", Severity.ERROR) if is_disabled else ("service_manual", Severity.WARNING)
        message = f"the service {self._name} does not start with the host ({config.start_type.value})"
        return [Finding(code, severity, message, "wirefleet-agent doctor --fix", is_fixable=True)]

    def fix(self, finding: Finding) -> None:
        self._manager.set_start_type(self._name, StartType.AUTOMATIC)


class ServiceRuns(CheckOnly):
    """Why it ended, in the words of its exit code."""

    def __init__(self, tunnel: TunnelPaths, manager: ServiceManager) -> None:
        self._name = service_name(tunnel.name)
        self._manager = manager

    def find(self) -> Sequence[Finding]:
        status = self._manager.status(self._name)
        if status is None or status.state is not ServiceState.STOPPED:
            return []
        message = f"the service {self._name} is stopped ({status.why_ended()})"
        return [Finding("service_stopped", Severity.ERROR, message, "wirefleet-agent daemon start; see the log")]


class ServiceCommandIsOurs:
    """The registered command starts the current release with this root. release: None where nothing is installed."""

    def __init__(self, tunnel: TunnelPaths, manager: ServiceManager, release: Callable[[], str | None]) -> None:
        self._tunnel = tunnel
        self._name = service_name(tunnel.name)
        self._manager = manager
        self._release = release

    def find(self) -> Sequence[Finding]:
        config, release = self._manager.config(self._name), self._release()
        if config is None or release is None:
            return []
        wanted = service_command(self._tunnel, release)
        if config.command.casefold() == wanted.casefold():
            return []
        message = f"the service {self._name} is registered with another command: {config.command}"
        hint = f"wirefleet-agent doctor --fix makes it: {wanted}"
        return [Finding("service_command_wrong", Severity.ERROR, message, hint, is_fixable=True)]

    def fix(self, finding: Finding) -> None:
        release = self._release()
        if release is not None:
            self._manager.set_command(self._name, service_command(self._tunnel, release))


class ServiceHasFewPrivileges:
    """What the manager gives the service: less than all of LocalSystem's."""

    def __init__(self, tunnel: TunnelPaths, manager: ServiceManager) -> None:
        self._name = service_name(tunnel.name)
        self._manager = manager

    def find(self) -> Sequence[Finding]:
        config = self._manager.config(self._name)
        privileges = None if config is None else config.required_privileges
        if privileges is None or set(privileges) == set(KEPT_PRIVILEGES):
            return []
        named = ", ".join(privileges) or "all of its account"
        message = f"the service {self._name} is given other privileges than it needs: {named}"
        hint = "wirefleet-agent doctor --fix, then daemon restart"
        return [Finding("service_privileges_wrong", Severity.WARNING, message, hint, is_fixable=True)]

    def fix(self, finding: Finding) -> None:
        self._manager.set_required_privileges(self._name, KEPT_PRIVILEGES)


class NetSetupIsEnabled:
    """Without this service of Windows no adapter can be made."""

    def __init__(self, manager: ServiceManager) -> None:
        self._manager = manager

    def find(self) -> Sequence[Finding]:
        config = self._manager.config(NETSETUP)
        if config is None or config.start_type is not StartType.DISABLED:
            return []
        message = f"the service {NETSETUP} is disabled: Windows cannot make a network adapter"
        return [Finding("netsetup_disabled", Severity.ERROR, message, "wirefleet-agent doctor --fix", is_fixable=True)]

    def fix(self, finding: Finding) -> None:
        self._manager.set_start_type(NETSETUP, StartType.MANUAL)


class EventSourceIsRegistered:
    def __init__(self, sources: EventSourceStore, source: str) -> None:
        self._sources = sources
        self._source = source

    def find(self) -> Sequence[Finding]:
        try:
            if self._sources.is_registered(self._source):
                return []
        except OSError as error:
            raise _registry_failure(error) from error
        message = f"the event log does not know the source {self._source}: its entries look broken"
        hint = "wirefleet-agent doctor --fix, or start the service"
        return [Finding("event_source_missing", Severity.WARNING, message, hint, is_fixable=True)]

    def fix(self, finding: Finding) -> None:
        try:
            self._sources.register(self._source)
        except OSError as error:
            raise _registry_failure(error) from error


def _registry_failure(error: OSError) -> DriverError:
    code = getattr(error, "winerror", None) or error.errno or 0
    return DriverError(error.strerror or str(error), call="registry", os_code=code, path="event log sources")
