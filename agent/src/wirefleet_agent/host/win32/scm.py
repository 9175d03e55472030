# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The service control manager, by pywin32: our place in it as a service, and its other services.

The service is hosted by python.exe itself, so that its command line says what runs. Source: Service Functions of
Microsoft's documentation; pywin32's win32serviceutil.
"""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import contextlib
import threading
from collections.abc import Callable, Collection, Iterator
from typing import Any, ClassVar

import pywintypes
import servicemanager
import win32service
import win32serviceutil

from ...errors import DriverError, RefusedError
from ..service_manager import (
    SERVICE_SPECIFIC_ERROR,
    ControlHandler,
    ExitCode,
    ServiceConfig,
    ServiceControl,
    ServiceState,
    ServiceStatus,
    StartType,
    StatusReporter,
    TakeHandler,
)
from .end import end_process

_ERROR_SERVICE_ALREADY_RUNNING = 1056
_ERROR_SERVICE_DOES_NOT_EXIST = 1060
_ERROR_SERVICE_CANNOT_ACCEPT_CTRL = 1061  # here: it stops already, as somebody else wants it too
_ERROR_SERVICE_NOT_ACTIVE = 1062
_ERROR_FAILED_SERVICE_CONTROLLER_CONNECT = 1063

_SERVICE_ACCEPT_NETBINDCHANGE = 0x10
_SERVICE_ACCEPT_POWEREVENT = 0x40
_SERVICE_ACCEPT_PRESHUTDOWN = 0x100
_SERVICE_CONTROL_NETBIND = range(7, 11)  # add, remove, enable, disable
_SERVICE_CONTROL_POWEREVENT = 13
_SERVICE_CONTROL_PRESHUTDOWN = 15
_PBT_APMSUSPEND = 4
_PBT_APMRESUMESUSPEND = 7
_PBT_APMRESUMEAUTOMATIC = 18

_SERVICE_CONFIG_DELAYED_AUTO_START_INFO = 3
_SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO = 6

_UNKNOWN = object()
_STATES = {
    win32service.SERVICE_STOPPED: ServiceState.STOPPED,
    win32service.SERVICE_START_PENDING: ServiceState.START_PENDING,
    win32service.SERVICE_STOP_PENDING: ServiceState.STOP_PENDING,
    win32service.SERVICE_RUNNING: ServiceState.RUNNING,
}
_START_TYPES = {
    StartType.AUTOMATIC: win32service.SERVICE_AUTO_START,
    StartType.MANUAL: win32service.SERVICE_DEMAND_START,
    StartType.DISABLED: win32service.SERVICE_DISABLED,
}

# Runs the service: gets the reporter, gives its handler of controls to the second argument once it has one.
Body = Callable[[StatusReporter, TakeHandler], ExitCode]


def host_service(body: Body) -> None:
    """Until the service ends; the process ends with it. Raises RefusedError if the manager did not start us."""
    _Hosted.body = body
    servicemanager.Initialize()
    servicemanager.PrepareToHostSingle(_Hosted)
    try:
        servicemanager.StartServiceCtrlDispatcher()  # type: ignore[no-untyped-call]
    except pywintypes.error as error:
        if error.winerror == _ERROR_FAILED_SERVICE_CONTROLLER_CONNECT:
            raise RefusedError(
                "only the service control manager can start this",
                hint="wirefleet-agent daemon start; in a console: wirefleet-agent run",
            ) from error
        raise _failure("StartServiceCtrlDispatcher", "service", error) from error


class _Hosted(win32serviceutil.ServiceFramework):
    """Made by pywin32 on the service's own thread; controls come on the dispatcher's."""

    body: ClassVar[Body]
    _svc_name_ = "wirefleet"
    _svc_display_name_ = "WireFleet tunnel"

    def __init__(self, args: Any) -> None:
        super().__init__(args)
        self._reporter = _Reporter(self.ssh)
        self._handler: ControlHandler | None = None

    def ServiceCtrlHandlerEx(self, control: int, event_type: int, data: Any) -> None:
        if control == win32service.SERVICE_CONTROL_INTERROGATE:
            self._reporter.repeat()
            return
        meaning = _meaning(control, event_type)
        if meaning is not None and self._handler is not None:
            self._handler(meaning)

    def SvcRun(self) -> None:
        """A failure is reported by us and ends the process: pywin32 would report success after it."""
        code = _Hosted.body(self._reporter, self._take_handler)
        if code is not ExitCode.STOPPED:
            self._reporter.stopped(code)
            end_process(code)

    def _take_handler(self, handler: ControlHandler) -> None:
        self._handler = handler


class _Reporter:
    """A StatusReporter."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._lock = threading.Lock()
        self._check_point = 0
        self._last: tuple[int, int, int, int, int, int, int] | None = None

    def start_pending(self, wait_hint_s: float) -> None:
        self._pending(win32service.SERVICE_START_PENDING, wait_hint_s)

    def running(self) -> None:
        accepted = win32service.SERVICE_ACCEPT_STOP | win32service.SERVICE_ACCEPT_SHUTDOWN
        accepted |= _SERVICE_ACCEPT_PRESHUTDOWN | _SERVICE_ACCEPT_POWEREVENT | _SERVICE_ACCEPT_NETBINDCHANGE
        self._report(win32service.SERVICE_RUNNING, accepted, ExitCode.STOPPED, 0, 0)

    def stop_pending(self, wait_hint_s: float) -> None:
        self._pending(win32service.SERVICE_STOP_PENDING, wait_hint_s)

    def stopped(self, code: ExitCode) -> None:
        self._report(win32service.SERVICE_STOPPED, 0, code, 0, 0)

    def repeat(self) -> None:
        """For the manager that asks how we are."""
        with self._lock:
            if self._last is not None:
                win32service.SetServiceStatus(self._handle, self._last)

    def _pending(self, state: int, wait_hint_s: float) -> None:
        self._check_point += 1
        self._report(state, 0, ExitCode.STOPPED, self._check_point, round(1000 * wait_hint_s))

    def _report(self, state: int, accepted: int, code: ExitCode, check_point: int, wait_hint_ms: int) -> None:
        win32_code = SERVICE_SPECIFIC_ERROR if code else 0
        kind = win32service.SERVICE_WIN32_OWN_PROCESS
        with self._lock:
            self._last = (kind, state, accepted, win32_code, int(code), check_point, wait_hint_ms)
            win32service.SetServiceStatus(self._handle, self._last)


def _meaning(control: int, event_type: int) -> ServiceControl | None:
    if control == _SERVICE_CONTROL_POWEREVENT:
        if event_type == _PBT_APMSUSPEND:
            return ServiceControl.SUSPEND
        return ServiceControl.RESUME if event_type in (_PBT_APMRESUMESUSPEND, _PBT_APMRESUMEAUTOMATIC) else None
    if control in _SERVICE_CONTROL_NETBIND:
        return ServiceControl.NETWORK_CHANGED
    return {
        win32service.SERVICE_CONTROL_STOP: ServiceControl.STOP,
        win32service.SERVICE_CONTROL_SHUTDOWN: ServiceControl.SHUTDOWN,
        _SERVICE_CONTROL_PRESHUTDOWN: ServiceControl.PRESHUTDOWN,
    }.get(control)


class WindowsServiceManager:
    """A ServiceManager."""

    def status(self, name: str) -> ServiceStatus | None:
        with _opened(name, win32service.SERVICE_QUERY_STATUS) as service:
            if service is None:
                return None
            found: Any = win32service.QueryServiceStatusEx(service)
        pid = int(found["ProcessId"]) or None
        state = _STATES.get(found["CurrentState"], ServiceState.OTHER)
        return ServiceStatus(state, pid, int(found["Win32ExitCode"]), int(found["ServiceSpecificExitCode"]))

    def config(self, name: str) -> ServiceConfig | None:
        with _opened(name, win32service.SERVICE_QUERY_CONFIG) as service:
            if service is None:
                return None
            _kind, start, _control, command, _group, _tag, dependencies, account, _display = (
                win32service.QueryServiceConfig(service)
            )
            privileges = _config2(service, _SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO)
            is_delayed = _config2(service, _SERVICE_CONFIG_DELAYED_AUTO_START_INFO)
        types = {number: start_type for start_type, number in _START_TYPES.items()}
        return ServiceConfig(
            command,
            types.get(start, StartType.OTHER),
            account,
            tuple(dependencies or ()),
            None if privileges is _UNKNOWN else tuple(privileges or ()),
            None if is_delayed is _UNKNOWN else bool(is_delayed),
        )

    def start(self, name: str) -> None:
        with _opened(name, win32service.SERVICE_START, must_exist=True) as service:
            _call(
                "StartService",
                name,
                lambda: win32service.StartService(service, None),
                tolerate=(_ERROR_SERVICE_ALREADY_RUNNING,),
            )

    def stop(self, name: str) -> None:
        with _opened(name, win32service.SERVICE_STOP, must_exist=True) as service:
            _call(
                "ControlService",
                name,
                lambda: win32service.ControlService(service, win32service.SERVICE_CONTROL_STOP),
                tolerate=(_ERROR_SERVICE_NOT_ACTIVE, _ERROR_SERVICE_CANNOT_ACCEPT_CTRL),
            )

    def set_start_type(self, name: str, start_type: StartType) -> None:
        self._change(name, start=_START_TYPES[start_type])

    def set_command(self, name: str, command: str) -> None:
        self._change(name, command=command)

    def set_required_privileges(self, name: str, privileges: Collection[str]) -> None:
        with _opened(name, win32service.SERVICE_CHANGE_CONFIG, must_exist=True) as service:
            _call(
                "ChangeServiceConfig2",
                name,
                lambda: win32service.ChangeServiceConfig2(
                    service, _SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, list(privileges)
                ),
            )

    def _change(self, name: str, *, start: int = win32service.SERVICE_NO_CHANGE, command: str | None = None) -> None:
        keep = win32service.SERVICE_NO_CHANGE
        with _opened(name, win32service.SERVICE_CHANGE_CONFIG, must_exist=True) as service:
            _call(
                "ChangeServiceConfig",
                name,
                lambda: win32service.ChangeServiceConfig(
                    service, keep, start, keep, command, None, False, None, None, None, None
                ),
            )


@contextlib.contextmanager
def _opened(name: str, access: int, *, must_exist: bool = False) -> Iterator[Any]:
    """The service's handle; None if there is no such service, DriverError if it must exist."""
    try:
        manager = win32service.OpenSCManager(None, None, win32service.SC_MANAGER_CONNECT)
    except pywintypes.error as error:
        raise _failure("OpenSCManager", name, error) from error
    service: Any = None
    try:
        try:
            service = win32service.OpenService(manager, name, access)
        except pywintypes.error as error:
            if must_exist or error.winerror != _ERROR_SERVICE_DOES_NOT_EXIST:
                raise _failure("OpenService", name, error) from error
        yield service
    finally:
        for handle in (service, manager):
            if handle is not None:
                win32service.CloseServiceHandle(handle)


def _call(call: str, name: str, function: Callable[[], object], *, tolerate: Collection[int] = ()) -> None:
    try:
        function()
    except pywintypes.error as error:
        if error.winerror not in tolerate:
            raise _failure(call, name, error) from error


def _config2(service: Any, level: int) -> Any:
    """None is an answer: no privileges are listed, so the service gets all of its account's."""
    try:
        return win32service.QueryServiceConfig2(service, level)
    except pywintypes.error:  # this system does not tell
        return _UNKNOWN


def _failure(call: str, name: str, error: pywintypes.error) -> DriverError:
    hint = "run as an administrator, elevated" if error.winerror == 5 else None
    return DriverError(str(error.strerror), call=call, os_code=int(error.winerror), path=name, hint=hint)
