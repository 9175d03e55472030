# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service control manager of the prefix, through advapi32. Source: documentation of the Service functions."""

from __future__ import annotations

import ctypes
import sys
import time
from contextlib import contextmanager
from ctypes import wintypes
from typing import Any

assert sys.platform == "win32"

ALL_ACCESS = 0xF003F
SERVICE_ALL_ACCESS = 0xF01FF
NO_CHANGE = 0xFFFFFFFF
STOPPED, START_PENDING, STOP_PENDING, RUNNING = 1, 2, 3, 4
CONTROL_STOP = 1
CONFIG_DESCRIPTION = 1
STATUS_PROCESS_INFO = 0
ERROR_SERVICE_DOES_NOT_EXIST = 1060
ERROR_SERVICE_NOT_ACTIVE = 1062
ERROR_SERVICE_ALREADY_RUNNING = 1056
ERROR_INSUFFICIENT_BUFFER = 122
SYNCHRONIZE = 0x100000
PROCESS_QUERY_LIMITED_INFORMATION = 0x1000
START_TYPES = {"auto": 2, "manual": 3, "disabled": 4}
STATES = {1: "stopped", 2: "start_pending", 3: "stop_pending", 4: "started", 5: "continue_pending", 6: "pause_pending",
          7: "paused"}  # fmt: skip

_advapi32 = ctypes.WinDLL("advapi32", use_last_error=True)
_kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)


class _ServiceStatus(ctypes.Structure):
    _fields_ = [
        (name, wintypes.DWORD)
        for name in ("type", "state", "controls", "win32_exit", "service_exit", "checkpoint", "wait_hint")
    ]


class _ServiceStatusProcess(ctypes.Structure):
    _fields_ = [*_ServiceStatus._fields_, ("process_id", wintypes.DWORD), ("flags", wintypes.DWORD)]


class _ServiceConfig(ctypes.Structure):
    _fields_ = [
        ("type", wintypes.DWORD),
        ("start", wintypes.DWORD),
        ("error", wintypes.DWORD),
        ("path", wintypes.LPWSTR),
        ("group", wintypes.LPWSTR),
        ("tag", wintypes.DWORD),
        ("dependencies", ctypes.c_void_p),
        ("account", wintypes.LPWSTR),
        ("display_name", wintypes.LPWSTR),
    ]


class _Description(ctypes.Structure):
    _fields_ = [("text", wintypes.LPWSTR)]


def _declare(function: Any, result: Any, *arguments: Any) -> None:
    function.restype, function.argtypes = result, list(arguments)


_H, _S, _D, _P, _B = wintypes.HANDLE, wintypes.LPCWSTR, wintypes.DWORD, ctypes.c_void_p, wintypes.BOOL
_declare(_advapi32.OpenSCManagerW, _H, _S, _S, _D)
_declare(_advapi32.OpenServiceW, _H, _H, _S, _D)
_declare(_advapi32.CreateServiceW, _H, _H, _S, _S, _D, _D, _D, _D, _S, _S, _P, _P, _S, _S)
_declare(_advapi32.ChangeServiceConfigW, _B, _H, _D, _D, _D, _S, _S, _P, _P, _S, _S, _S)
_declare(_advapi32.ChangeServiceConfig2W, _B, _H, _D, _P)
_declare(_advapi32.QueryServiceConfigW, _B, _H, _P, _D, _P)
_declare(_advapi32.QueryServiceStatusEx, _B, _H, _D, _P, _D, _P)
_declare(_advapi32.DeleteService, _B, _H)
_declare(_advapi32.StartServiceW, _B, _H, _D, _P)
_declare(_advapi32.ControlService, _B, _H, _D, _P)
_declare(_advapi32.CloseServiceHandle, _B, _H)
_declare(_kernel32.OpenProcess, _H, _D, _B, _D)
_declare(_kernel32.WaitForSingleObject, _D, _H, _D)
_declare(_kernel32.GetExitCodeProcess, _B, _H, _P)
_declare(_kernel32.CloseHandle, _B, _H)


def _checked(result: Any) -> Any:
    if not result:
        raise ctypes.WinError(ctypes.get_last_error())
    return result


@contextmanager
def _manager() -> Any:
    handle = _checked(_advapi32.OpenSCManagerW(None, None, ALL_ACCESS))
    try:
        yield handle
    finally:
        _advapi32.CloseServiceHandle(handle)


@contextmanager
def _service(name: str) -> Any:
    with _manager() as manager:
        handle = _checked(_advapi32.OpenServiceW(manager, name, SERVICE_ALL_ACCESS))
        try:
            yield handle
        finally:
            _advapi32.CloseServiceHandle(handle)


def create(*, name: str, path: str) -> dict[str, Any]:
    """A new service of its own process, started by hand."""
    with _manager() as manager:
        handle = _checked(
            _advapi32.CreateServiceW(
                manager, name, name, SERVICE_ALL_ACCESS, 0x10, 3, 1, path, None, None, None, None, None
            )
        )
        _advapi32.CloseServiceHandle(handle)
    return {}


def change(
    *,
    name: str,
    path: str | None = None,
    display_name: str | None = None,
    start: str | None = None,
    description: str | None = None,
) -> dict[str, Any]:
    """Change what is given; None leaves a setting as it is."""
    start_type = START_TYPES[start] if start else NO_CHANGE
    with _service(name) as service:
        _checked(
            _advapi32.ChangeServiceConfigW(
                service, NO_CHANGE, start_type, NO_CHANGE, path, None, None, None, None, None, display_name
            )
        )  # fmt: skip
        if description is not None:
            text = _Description(description)
            _checked(_advapi32.ChangeServiceConfig2W(service, CONFIG_DESCRIPTION, ctypes.byref(text)))
    return {}


def query(*, name: str) -> dict[str, Any]:
    """Status and configuration. A service whose process is gone counts as stopped, whatever the manager thinks."""
    try:
        with _service(name) as service:
            status = _status(service)
            config = _config(service)
    except OSError as error:
        if error.winerror == ERROR_SERVICE_DOES_NOT_EXIST:
            return {"exists": False}
        raise
    alive = bool(status.process_id) and status.state != STOPPED and _is_alive(status.process_id)
    state = STATES.get(status.state, "stopped") if alive or status.state == START_PENDING else "stopped"
    return {
        "exists": True,
        "state": state,
        "raw_state": status.state,
        "process_id": status.process_id if alive else 0,
        "raw_process_id": status.process_id,
        "win32_exit_code": status.win32_exit,
        "service_exit_code": status.service_exit,
        "controls": status.controls,
        "checkpoint": status.checkpoint,
        "wait_hint": status.wait_hint,
        **config,
    }


def _status(service: Any) -> _ServiceStatusProcess:
    status = _ServiceStatusProcess()
    needed = wintypes.DWORD()
    _checked(
        _advapi32.QueryServiceStatusEx(
            service, STATUS_PROCESS_INFO, ctypes.byref(status), ctypes.sizeof(status), ctypes.byref(needed)
        )
    )
    return status


def _config(service: Any) -> dict[str, Any]:
    needed = wintypes.DWORD()
    _advapi32.QueryServiceConfigW(service, None, 0, ctypes.byref(needed))
    buffer = ctypes.create_string_buffer(max(needed.value, 512))
    _checked(_advapi32.QueryServiceConfigW(service, buffer, len(buffer), ctypes.byref(needed)))
    config = _ServiceConfig.from_buffer(buffer)
    start = {value: key for key, value in START_TYPES.items()}
    return {
        "path": config.path or "",
        "display_name": config.display_name or "",
        "start": start.get(config.start, "manual"),
        "service_type": config.type,
    }


def start(*, name: str, timeout_s: float = 60.0) -> dict[str, Any]:
    """Start a service and wait until it says that it runs."""
    with _service(name) as service:
        if not _advapi32.StartServiceW(service, 0, None):
            error = ctypes.get_last_error()
            if error != ERROR_SERVICE_ALREADY_RUNNING:
                raise ctypes.WinError(error)
        return {"raw_state": _wait_while(service, (START_PENDING,), timeout_s)}


def stop(*, name: str, timeout_s: float = 60.0) -> dict[str, Any]:
    """Ask a service to stop and wait until it says that it has stopped."""
    with _service(name) as service:
        status = _ServiceStatus()
        if not _advapi32.ControlService(service, CONTROL_STOP, ctypes.byref(status)):
            error = ctypes.get_last_error()
            if error != ERROR_SERVICE_NOT_ACTIVE and _is_alive(_status(service).process_id):
                raise ctypes.WinError(error)
        return {"raw_state": _wait_while(service, (STOP_PENDING, RUNNING), timeout_s)}


def _wait_while(service: Any, states: tuple[int, ...], timeout_s: float) -> int:
    deadline = time.monotonic() + timeout_s
    while True:
        status = _status(service)
        if status.state not in states or not _is_alive(status.process_id) or time.monotonic() > deadline:
            return int(status.state)
        time.sleep(0.05)


def delete(*, name: str) -> dict[str, Any]:
    """Delete a service; it has to be stopped before."""
    with _service(name) as service:
        _checked(_advapi32.DeleteService(service))
    return {}


def open_process(process_id: int) -> int:
    """A handle to wait for a process with; 0 if there is no such process."""
    return int(_kernel32.OpenProcess(SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION, False, process_id) or 0)


def close_process(handle: int) -> None:
    """Give a handle back."""
    if handle:
        _kernel32.CloseHandle(handle)


def has_ended(handle: int) -> bool:
    """Whether the process behind a handle has ended."""
    return bool(_kernel32.WaitForSingleObject(handle, 0) == 0)


def exit_code(handle: int) -> int:
    """The exit code of a process that has ended."""
    code = wintypes.DWORD()
    _kernel32.GetExitCodeProcess(handle, ctypes.byref(code))
    return code.value


def _is_alive(process_id: int) -> bool:
    handle = open_process(process_id) if process_id else 0
    if not handle:
        return False
    try:
        return not has_ended(handle)
    finally:
        close_process(handle)


OPERATIONS = {
    "service_create": create,
    "service_change": change,
    "service_query": query,
    "service_start": start,
    "service_stop": stop,
    "service_delete": delete,
}
