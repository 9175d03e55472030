# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Named pipes by pywin32: overlapped, so that every wait has an end, and a second event to end it from elsewhere.

Source: learn.microsoft.com, "Named Pipes" and "Synchronous and Overlapped Input and Output".
"""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import contextlib
import threading
import time
from typing import TYPE_CHECKING

import ntsecuritycon
import pywintypes
import win32api
import win32con
import win32event
import win32file
import win32pipe
import win32security
import winerror

from ..pipe_windows import ADMINISTRATORS_SID, Caller

if TYPE_CHECKING:
    from _win32typing import PyOVERLAPPED

_SDDL_REVISION = 1
_BUFFER_BYTES = 64 * 1024
_LAST_WRITE_S = 1.0  # what a cancelled end may still spend on an answer
_BUSY_POLL_MS = 50  # another client may be faster than we are when an instance is free again
_GONE = frozenset(
    {
        winerror.ERROR_BROKEN_PIPE,
        winerror.ERROR_NO_DATA,
        winerror.ERROR_PIPE_NOT_CONNECTED,
        winerror.ERROR_HANDLE_EOF,
    }
)
_SECURITY_SQOS_PRESENT = 0x00100000
_SECURITY_IDENTIFICATION = 0x00010000  # the server may ask who we are, and not act as us
_OVERLAPPED = int(win32con.FILE_FLAG_OVERLAPPED)


class WindowsPipeEnd:
    """See PipeEnd and PipeInstance."""

    def __init__(self, handle: int, name: str) -> None:
        self._handle = handle
        self._name = name
        self._done = win32event.CreateEvent(None, True, False, None)
        self._cancelled = win32event.CreateEvent(None, True, False, None)
        self._lock = threading.Lock()
        self._is_closed = False

    @property
    def client_pid(self) -> int:
        try:
            return int(win32pipe.GetNamedPipeClientProcessId(self._handle))
        except pywintypes.error as error:
            raise _os_error(error, self._name) from error

    @property
    def owner_sid(self) -> str:
        try:
            descriptor = win32security.GetSecurityInfo(
                self._handle, win32security.SE_KERNEL_OBJECT, win32security.OWNER_SECURITY_INFORMATION
            )
            return str(win32security.ConvertSidToStringSid(descriptor.GetSecurityDescriptorOwner()))
        except pywintypes.error as error:
            raise _os_error(error, self._name) from error

    def wait_for_client(self) -> bool:
        overlapped = self._overlapped()
        try:
            code = win32pipe.ConnectNamedPipe(self._handle, overlapped)
            if code == winerror.ERROR_PIPE_CONNECTED:
                return True
            return self._finish(overlapped, None, is_cancellable=True) is not None
        except pywintypes.error as error:
            raise _os_error(error, self._name) from error

    def read(self, max_bytes: int, timeout_s: float) -> bytes:
        if win32event.WaitForSingleObject(self._cancelled, 0) == win32event.WAIT_OBJECT_0:
            return b""
        overlapped = self._overlapped()
        try:
            _, buffer = win32file.ReadFile(self._handle, win32file.AllocateReadBuffer(max_bytes), overlapped)
            count = self._finish(overlapped, timeout_s, is_cancellable=True)
        except pywintypes.error as error:
            if error.winerror in _GONE:
                return b""
            raise _os_error(error, self._name) from error
        return bytes(buffer[:count]) if count else b""

    def write(self, data: bytes, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        view = memoryview(data)
        while view:
            overlapped = self._overlapped()
            try:
                win32file.WriteFile(self._handle, bytes(view[:_BUFFER_BYTES]), overlapped)
                count = self._finish(overlapped, deadline - time.monotonic(), is_cancellable=False)
            except pywintypes.error as error:
                raise _os_error(error, self._name) from error
            view = view[count or 0 :]

    def cancel(self) -> None:
        with self._lock:
            if not self._is_closed:
                win32event.SetEvent(self._cancelled)

    def close(self) -> None:
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            for handle in (self._handle, self._done, self._cancelled):
                win32api.CloseHandle(handle)

    def _overlapped(self) -> PyOVERLAPPED:
        overlapped = pywintypes.OVERLAPPED()
        overlapped.hEvent = self._done
        return overlapped

    def _finish(self, overlapped: PyOVERLAPPED, timeout_s: float | None, *, is_cancellable: bool) -> int | None:
        """The number of bytes; None when cancelled. The system has let go of the buffer in any case.

        Raises TimeoutError, pywintypes.error. A write that is cancelled goes on for a moment.
        """
        milliseconds = win32event.INFINITE if timeout_s is None else max(0, int(timeout_s * 1000))
        outcome = win32event.WaitForMultipleObjects([self._done, self._cancelled], False, milliseconds)
        if outcome == win32event.WAIT_OBJECT_0 + 1 and not is_cancellable:
            milliseconds = min(milliseconds, int(_LAST_WRITE_S * 1000))
            outcome = win32event.WaitForSingleObject(self._done, milliseconds)
        if outcome != win32event.WAIT_OBJECT_0:
            win32file.CancelIo(self._handle)  # of this thread; it may still come too late
        try:
            return int(win32file.GetOverlappedResult(self._handle, overlapped, True))
        except pywintypes.error as error:
            if error.winerror != winerror.ERROR_OPERATION_ABORTED:
                raise
        if outcome == win32event.WAIT_OBJECT_0 + 1:
            return None
        raise TimeoutError("the other side of the pipe is silent")


class WindowsPipes:
    """See PipeApi."""

    def create(self, name: str, sddl: str, *, is_first: bool) -> WindowsPipeEnd:
        flags = win32con.PIPE_ACCESS_DUPLEX | _OVERLAPPED
        if is_first:
            flags |= win32pipe.FILE_FLAG_FIRST_PIPE_INSTANCE
        try:
            attributes = pywintypes.SECURITY_ATTRIBUTES()
            attributes.SECURITY_DESCRIPTOR = win32security.ConvertStringSecurityDescriptorToSecurityDescriptor(
                sddl, _SDDL_REVISION
            )
            handle = win32pipe.CreateNamedPipe(
                name,
                flags,
                win32con.PIPE_TYPE_BYTE
                | win32con.PIPE_READMODE_BYTE
                | win32con.PIPE_WAIT
                | win32pipe.PIPE_REJECT_REMOTE_CLIENTS,
                win32con.PIPE_UNLIMITED_INSTANCES,
                _BUFFER_BYTES,
                _BUFFER_BYTES,
                0,
                attributes,
            )
        except pywintypes.error as error:
            raise _os_error(error, name) from error
        return WindowsPipeEnd(handle, name)

    def connect(self, name: str, timeout_s: float) -> WindowsPipeEnd:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                handle = win32file.CreateFile(
                    name,
                    win32con.GENERIC_READ | win32con.GENERIC_WRITE,
                    0,
                    None,
                    win32con.OPEN_EXISTING,
                    _OVERLAPPED | _SECURITY_SQOS_PRESENT | _SECURITY_IDENTIFICATION,
                    None,
                )
                return WindowsPipeEnd(int(handle.Detach()), name)
            except pywintypes.error as error:
                if error.winerror != winerror.ERROR_PIPE_BUSY:
                    raise _os_error(error, name) from error
                if time.monotonic() >= deadline:
                    raise TimeoutError(f"{name}: all instances are busy") from error
            with contextlib.suppress(pywintypes.error):  # the next try tells what is the matter
                win32pipe.WaitNamedPipe(name, _BUSY_POLL_MS)

    def caller(self) -> Caller:
        token = win32security.OpenProcessToken(win32api.GetCurrentProcess(), win32con.TOKEN_QUERY)
        try:
            sid, _ = win32security.GetTokenInformation(token, ntsecuritycon.TokenUser)
        finally:
            win32api.CloseHandle(token)
        administrators = win32security.ConvertStringSidToSid(ADMINISTRATORS_SID)
        return Caller(
            str(win32security.ConvertSidToStringSid(sid)),
            bool(win32security.CheckTokenMembership(None, administrators)),  # type: ignore[arg-type]  # None: this process
        )


def _os_error(error: pywintypes.error, name: str) -> OSError:
    """With the Windows code the constructor picks FileNotFoundError, PermissionError, BrokenPipeError ..."""
    return OSError(0, error.strerror, name, error.winerror)
