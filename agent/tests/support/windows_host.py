# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Windows behind its narrow interfaces, in memory: token, services, devices, addresses, event log. All record."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from wirefleet_agent.drivers.interfaces import InterfaceAddress, Prefix
from wirefleet_agent.drivers.iphelper import InterfaceSettings, IpInterface, IpRoute
from wirefleet_agent.drivers.win32_errors import ERROR_NOT_FOUND, Win32Error
from wirefleet_agent.errors import DriverError
from wirefleet_agent.host.adapters import Adapter
from wirefleet_agent.host.service_manager import (
    ExitCode,
    ServiceConfig,
    ServiceState,
    ServiceStatus,
    StartType,
)
from wirefleet_agent.observe import EventSeverity

SYSTEM_PRIVILEGES = ("SeChangeNotifyPrivilege", "SeDebugPrivilege", "SeLoadDriverPrivilege", "SeTcbPrivilege")
STOPPED = ServiceStatus(ServiceState.STOPPED)
RUNNING = ServiceStatus(ServiceState.RUNNING, 4321)
SERVICE_SID = "S-1-5-80-1-2-3-4-5"


class FakeToken:
    """A TokenApi. sticky: privileges that the system does not let go, though it says that it did."""

    def __init__(self, *held: str, sticky: Collection[str] = ()) -> None:
        self.held = set(held or SYSTEM_PRIVILEGES)
        self.sticky = set(sticky)
        self.fail: OSError | None = None
        self.on_remove: Callable[[], None] = lambda: None

    def user(self) -> str:
        return "NT AUTHORITY\\SYSTEM"

    def groups(self) -> list[str]:
        return ["S-1-1-0", SERVICE_SID, "S-1-5-32-544"]

    def privileges(self) -> set[str]:
        return set(self.held)

    def remove(self, names: Collection[str]) -> None:
        if self.fail is not None:
            raise self.fail
        self.on_remove()
        self.held -= set(names) - self.sticky


class RecordingReporter:
    """A StatusReporter."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def start_pending(self, wait_hint_s: float) -> None:
        self.said.append("start_pending")

    def running(self) -> None:
        self.said.append("running")

    def stop_pending(self, wait_hint_s: float) -> None:
        self.said.append("stop_pending")

    def stopped(self, code: ExitCode) -> None:
        self.said.append(f"stopped {code.name}")


@dataclass
class FakeService:
    config: ServiceConfig
    status: ServiceStatus = STOPPED
    after_start: ServiceStatus = RUNNING
    ignores_stop: bool = False


class FakeServiceManager:
    """A ServiceManager. A start passes through START_PENDING, a stop through STOP_PENDING: seen by the next look."""

    def __init__(self, **services: FakeService) -> None:
        self.services = {name.replace("_", "-"): service for name, service in services.items()}
        self.calls: list[tuple[object, ...]] = []

    def status(self, name: str) -> ServiceStatus | None:
        service = self.services.get(name)
        if service is None:
            return None
        shown = service.status
        if shown.state is ServiceState.START_PENDING:
            service.status = service.after_start
        elif shown.state is ServiceState.STOP_PENDING and not service.ignores_stop:
            service.status = ServiceStatus(ServiceState.STOPPED)
        return shown

    def config(self, name: str) -> ServiceConfig | None:
        service = self.services.get(name)
        return None if service is None else service.config

    def start(self, name: str) -> None:
        self.calls.append(("start", name))
        self.services[name].status = ServiceStatus(ServiceState.START_PENDING, 4321)

    def stop(self, name: str) -> None:
        self.calls.append(("stop", name))
        self.services[name].status = ServiceStatus(ServiceState.STOP_PENDING, 4321)

    def set_start_type(self, name: str, start_type: StartType) -> None:
        self.calls.append(("set_start_type", name, start_type))
        self._configure(name, start_type=start_type)

    def set_command(self, name: str, command: str) -> None:
        self.calls.append(("set_command", name))
        self._configure(name, command=command)

    def set_required_privileges(self, name: str, privileges: Collection[str]) -> None:
        self.calls.append(("set_required_privileges", name))
        self._configure(name, required_privileges=tuple(privileges))

    def _configure(self, name: str, **changes: object) -> None:
        service = self.services[name]
        service.config = replace(service.config, **changes)


class FakeAdapters:
    """An AdapterProbe. fail: what ``remove`` raises."""

    def __init__(self, *adapters: Adapter) -> None:
        self.known = list(adapters)
        self.removed: list[str] = []
        self.fail: DriverError | None = None

    def adapters(self) -> Sequence[Adapter]:
        return list(self.known)

    def remove(self, instance_id: str) -> None:
        if self.fail is not None:
            raise self.fail
        self.removed.append(instance_id)
        self.known = [each for each in self.known if each.instance_id != instance_id]


class FakeWatch:
    def close(self) -> None:
        """Nothing runs."""


class FakeIpHelper:
    """An IpHelperApi with one interface for the way out; the tunnel's own is there from the first look."""

    def __init__(self, *luids: int) -> None:
        self.luids = luids
        self.held: list[tuple[int, InterfaceAddress]] = []
        self.routed: list[IpRoute] = []
        self.dns: dict[tuple[int, int], tuple[tuple[str, ...], tuple[str, ...]]] = {}
        self.settings: list[tuple[int, int, InterfaceSettings]] = []

    def interfaces(self) -> list[IpInterface]:
        return [IpInterface(luid, version) for luid in self.luids for version in (4, 6)]

    def set_interface(self, luid: int, version: int, settings: InterfaceSettings) -> None:
        self.settings.append((luid, version, settings))

    def addresses(self) -> list[tuple[int, InterfaceAddress]]:
        return list(self.held)

    def create_address(self, luid: int, address: InterfaceAddress) -> None:
        self.held.append((luid, address))

    def delete_address(self, luid: int, address: InterfaceAddress) -> None:
        if (luid, address) not in self.held:
            raise Win32Error("DeleteUnicastIpAddressEntry", ERROR_NOT_FOUND)
        self.held.remove((luid, address))

    def routes(self) -> list[IpRoute]:
        return list(self.routed)

    def default_routes(self) -> list[IpRoute]:
        return [route for route in self.routed if not route.prefix.prefixlen]

    def create_route(self, luid: int, prefix: Prefix, metric: int) -> None:
        self.routed.append(IpRoute(luid, prefix, metric))

    def delete_route(self, luid: int, prefix: Prefix) -> None:
        self.routed = [route for route in self.routed if (route.luid, route.prefix) != (luid, prefix)]

    def set_dns(self, luid: int, version: int, servers: Sequence[str], search: Sequence[str]) -> None:
        self.dns[luid, version] = (tuple(servers), tuple(search))

    def watch(self, on_change: Callable[[], None]) -> FakeWatch:
        return FakeWatch()


class FakeEventSources:
    """An EventSourceStore. known: registered as we do it; strange: there, but otherwise."""

    def __init__(self, *known: str, strange: Collection[str] = ()) -> None:
        self.known = set(known)
        self.strange = set(strange)
        self.fail: OSError | None = None

    def is_registered(self, source: str) -> bool:
        if self.fail is not None:
            raise self.fail
        return source in self.known

    def exists(self, source: str) -> bool:
        return source in self.known | self.strange

    def register(self, source: str) -> None:
        self.strange.discard(source)
        self.known.add(source)

    def remove(self, source: str) -> None:
        self.known.discard(source)
        self.strange.discard(source)


class RecordingEventLog:
    """An EventLog."""

    def __init__(self) -> None:
        self.entries: list[tuple[EventSeverity, str]] = []
        self.fail: OSError | None = None

    def report(self, severity: EventSeverity, text: str) -> None:
        if self.fail is not None:
            raise self.fail
        self.entries.append((severity, text))
