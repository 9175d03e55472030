# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""wintun.dll: loaded only if it is the one we know, and called through the API of wintun.h.

Per-packet functions keep Python's global lock while they run: they never wait, and giving the lock away and taking it
back for each costs more than they do. Functions that may wait or call our logger from another thread let it go.
"""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
import hashlib
import msvcrt
import os
from ctypes import wintypes
from pathlib import Path
from typing import Any
from uuid import UUID

from ...errors import DriverError
from ..win32_errors import Win32Error
from ..wintrust_layouts import Guid
from ..wintun_ring import LogLine
from .authenticode import check_signature

_GENERIC_READ = 0x80000000
_FILE_SHARE_READ = 0x1
_OPEN_EXISTING = 3
_INVALID_HANDLE = ctypes.c_void_p(-1).value
_LOAD_LIBRARY_SEARCH_SYSTEM32 = 0x800
_LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR = 0x100
_REINSTALL_HINT = "install the agent's release again: this is not the wintun.dll that came with it"

_Handle = ctypes.c_void_p
_LogCallback = ctypes.WINFUNCTYPE(None, ctypes.c_int, ctypes.c_uint64, ctypes.c_wchar_p)

_callbacks: list[object] = []

_kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
_kernel32.CreateFileW.argtypes = [
    wintypes.LPCWSTR,
    wintypes.DWORD,
    wintypes.DWORD,
    ctypes.c_void_p,
    wintypes.DWORD,
    wintypes.DWORD,
    wintypes.HANDLE,
]
_kernel32.CreateFileW.restype = ctypes.c_void_p
_kernel32.CloseHandle.argtypes = [wintypes.HANDLE]
_kernel32.WaitForSingleObject.argtypes = [wintypes.HANDLE, wintypes.DWORD]
_kernel32.SetEvent.argtypes = [wintypes.HANDLE]

# name, result, arguments; the second list keeps the global lock
_FUNCTIONS: tuple[tuple[str, Any, list[Any]], ...] = (
    ("CreateAdapter", _Handle, [wintypes.LPCWSTR, wintypes.LPCWSTR, ctypes.c_void_p]),
    ("OpenAdapter", _Handle, [wintypes.LPCWSTR]),
    ("CloseAdapter", None, [_Handle]),
    ("GetAdapterLUID", None, [_Handle, ctypes.c_void_p]),
    ("GetRunningDriverVersion", wintypes.DWORD, []),
    ("SetLogger", None, [ctypes.c_void_p]),
    ("StartSession", _Handle, [_Handle, wintypes.DWORD]),
    ("EndSession", None, [_Handle]),
    ("GetReadWaitEvent", wintypes.HANDLE, [_Handle]),
)
_PACKET_FUNCTIONS: tuple[tuple[str, Any, list[Any]], ...] = (
    ("ReceivePacket", ctypes.c_void_p, [_Handle, ctypes.c_void_p]),
    ("ReleaseReceivePacket", None, [_Handle, ctypes.c_void_p]),
    ("AllocateSendPacket", ctypes.c_void_p, [_Handle, wintypes.DWORD]),
    ("SendPacket", None, [_Handle, ctypes.c_void_p]),
)


def load_wintun(path: Path, sha256: str, *, verify_signature: bool = True) -> Wintun:
    """Load the DLL at ``path`` if its SHA-256 is ``sha256`` (hex) and Windows trusts its signature.

    The file stays open without sharing for write or delete from before the check until it is loaded, so what was
    checked is what runs. Raises DriverError with a hint.
    """
    full = str(path.absolute())
    file = _kernel32.CreateFileW(full, _GENERIC_READ, _FILE_SHARE_READ, None, _OPEN_EXISTING, 0, None)
    if file == _INVALID_HANDLE:
        error = Win32Error("CreateFile", ctypes.get_last_error())
        raise error.as_driver_error(path=full, hint=_REINSTALL_HINT) from error
    with os.fdopen(msvcrt.open_osfhandle(file, os.O_RDONLY), "rb") as reader:
        found = hashlib.file_digest(reader, "sha256").hexdigest()
        if found != sha256.lower():
            raise DriverError(f"its SHA-256 is {found}", call="LoadLibrary", path=full, hint=_REINSTALL_HINT)
        try:
            if verify_signature:
                check_signature(full, file)
        except Win32Error as error:
            raise DriverError(
                f"its signature is not trusted (0x{error.code:08x})",
                call=error.call,
                os_code=error.code,
                path=full,
                hint=_REINSTALL_HINT,
            ) from error
        return Wintun(full)


class Wintun:
    """See WintunApi. The DLL stays loaded until the process ends."""

    def __init__(self, path: str) -> None:
        mode = _LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | _LOAD_LIBRARY_SEARCH_SYSTEM32
        try:
            library = ctypes.WinDLL(path, use_last_error=True, winmode=mode)
            # The same DLL with calls that keep the global lock; 64-bit Windows has one calling convention only.
            packets = ctypes.PyDLL(path, handle=library._handle, use_last_error=True)
            self._functions = {name: _declared(library, name, *types) for name, *types in _FUNCTIONS}
            packet_functions = [_declared(packets, name, *types) for name, *types in _PACKET_FUNCTIONS]
        except (OSError, AttributeError) as error:
            code = getattr(error, "winerror", None) or 0
            raise DriverError(str(error), call="LoadLibrary", os_code=code, path=path, hint=_REINSTALL_HINT) from error
        self._receive, self._release, self._allocate, self._send = packet_functions
        self._size = wintypes.DWORD()
        self._size_address = ctypes.addressof(self._size)
        self._log: LogLine | None = None
        # For ever: the DLL's own threads, which clean up after an adapter was closed, may be about to call it while it
        # is taken from the DLL, and nothing tells when they are through.
        self._callback = _LogCallback(self._pass_on)
        _callbacks.append(self._callback)

    def set_logger(self, log: LogLine | None) -> None:
        self._log = log
        self._functions["SetLogger"](None if log is None else self._callback)

    def create_adapter(self, name: str, tunnel_type: str, guid: UUID) -> int:
        wanted = Guid.of(guid)
        return self._handle_of("CreateAdapter", name, tunnel_type, ctypes.byref(wanted))

    def open_adapter(self, name: str) -> int:
        return self._handle_of("OpenAdapter", name)

    def close_adapter(self, adapter: int) -> None:
        self._functions["CloseAdapter"](adapter)

    def adapter_luid(self, adapter: int) -> int:
        luid = ctypes.c_uint64()
        self._functions["GetAdapterLUID"](adapter, ctypes.byref(luid))
        return luid.value

    def driver_version(self) -> tuple[int, int]:
        version: int = self._functions["GetRunningDriverVersion"]()
        if not version:
            raise Win32Error("WintunGetRunningDriverVersion", ctypes.get_last_error())
        return version >> 16, version & 0xFFFF

    def start_session(self, adapter: int, capacity_bytes: int) -> int:
        return self._handle_of("StartSession", adapter, capacity_bytes)

    def end_session(self, session: int) -> None:
        self._functions["EndSession"](session)

    def read_wait_event(self, session: int) -> int:
        return self._handle_of("GetReadWaitEvent", session)

    def wait(self, event: int, timeout_ms: int) -> None:
        _kernel32.WaitForSingleObject(event, timeout_ms)

    def set_event(self, event: int) -> None:
        _kernel32.SetEvent(event)

    def receive_packet(self, session: int) -> tuple[int, int]:
        address = self._receive(session, self._size_address)
        if not address:
            raise Win32Error("WintunReceivePacket", ctypes.get_last_error())
        return address, self._size.value

    def release_packet(self, session: int, address: int) -> None:
        self._release(session, address)

    def allocate_packet(self, session: int, size: int) -> int:
        address: int | None = self._allocate(session, size)
        if not address:
            raise Win32Error("WintunAllocateSendPacket", ctypes.get_last_error())
        return address

    def send_packet(self, session: int, address: int) -> None:
        self._send(session, address)

    def _pass_on(self, level: int, _stamp: int, text: str) -> None:
        log = self._log
        if log is not None:
            log(level, text)

    def _handle_of(self, name: str, *arguments: object) -> int:
        handle: int | None = self._functions[name](*arguments)
        if not handle:
            raise Win32Error(f"Wintun{name}", ctypes.get_last_error())
        return handle


def _declared(library: ctypes.CDLL, name: str, result: object, arguments: list[Any]) -> Any:
    function = getattr(library, f"Wintun{name}")
    function.restype = result
    function.argtypes = arguments
    return function
