# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""UDP sockets with WSASendMsg and WSARecvMsg, which Python's socket module does not have.

The calls never wait (the sockets are non-blocking), so they keep Python's global lock: see wintun.py.
"""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
import select
import socket
import uuid

from ..win32_errors import Win32Error
from ..winsock_layouts import AF_INET
from ..wintrust_layouts import Guid

_SIO_GET_EXTENSION_FUNCTION_POINTER = 0xC8000006
_WSAID_WSARECVMSG = uuid.UUID("f689d7c8-6f1f-436b-8a53-e54fe351c322")

_ws2 = ctypes.WinDLL("ws2_32", use_last_error=True)
_ws2_holding_lock = ctypes.PyDLL("ws2_32", use_last_error=True)
_ws2.WSAIoctl.argtypes = [
    ctypes.c_size_t,
    ctypes.c_uint32,
    ctypes.c_void_p,
    ctypes.c_uint32,
    ctypes.c_void_p,
    ctypes.c_uint32,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_void_p,
]
_send_message = _ws2_holding_lock.WSASendMsg
_send_message.argtypes = [
    ctypes.c_size_t,
    ctypes.c_void_p,
    ctypes.c_uint32,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_void_p,
]


class Winsock:
    """See WinsockApi."""

    def socket(self, family: int) -> Socket:
        try:
            made = socket.socket(socket.AF_INET if family == AF_INET else socket.AF_INET6, socket.SOCK_DGRAM)
        except OSError as error:
            raise _win32_error("socket", error) from error
        made.setblocking(False)
        try:
            return Socket(made)
        except Win32Error:
            made.close()
            raise


class Socket:
    """See WinSocket."""

    def __init__(self, made: socket.socket) -> None:
        self._socket = made
        self._handle = made.fileno()
        self._transferred = ctypes.c_uint32()
        self._transferred_address = ctypes.addressof(self._transferred)
        pointer, guid = ctypes.c_void_p(), Guid.of(_WSAID_WSARECVMSG)
        self._ioctl(_SIO_GET_EXTENSION_FUNCTION_POINTER, guid, pointer)
        self._receive = _ws2_holding_lock._FuncPtr(pointer.value or 0)
        self._receive.argtypes = [
            ctypes.c_size_t,
            ctypes.c_void_p,
            ctypes.c_void_p,
            ctypes.c_void_p,
            ctypes.c_void_p,
        ]

    def fileno(self) -> int:
        return self._handle

    @property
    def port(self) -> int:
        number: int = self._socket.getsockname()[1]
        return number

    def set_option(self, level: int, name: int, value: int) -> None:
        try:
            self._socket.setsockopt(level, name, value)
        except OSError as error:
            raise _win32_error("setsockopt", error) from error

    def switch_off(self, control_code: int) -> None:
        self._ioctl(control_code, ctypes.c_uint32(0), None)

    def bind(self, port: int) -> None:
        try:
            self._socket.bind(("", port) if self._socket.family == socket.AF_INET else ("::", port))
        except OSError as error:
            raise _win32_error("bind", error) from error

    def receive(self, message: int) -> int:
        if self._receive(self._handle, message, self._transferred_address, None, None):
            raise Win32Error("WSARecvMsg", ctypes.get_last_error())
        return self._transferred.value

    def send(self, message: int) -> int:
        if _send_message(self._handle, message, 0, self._transferred_address, None, None):
            raise Win32Error("WSASendMsg", ctypes.get_last_error())
        return self._transferred.value

    def wait_writable(self, timeout_s: float) -> bool:
        return bool(select.select([], [self._socket], [], timeout_s)[1])

    def close(self) -> None:
        self._socket.close()

    def _ioctl(self, code: int, given: ctypes.Structure | ctypes.c_uint32, wanted: ctypes.c_void_p | None) -> None:
        size = 0 if wanted is None else ctypes.sizeof(wanted)
        target = None if wanted is None else ctypes.byref(wanted)
        transferred = ctypes.byref(self._transferred)
        if _ws2.WSAIoctl(
            self._handle, code, ctypes.byref(given), ctypes.sizeof(given), target, size, transferred, None, None
        ):
            raise Win32Error("WSAIoctl", ctypes.get_last_error())


def _win32_error(call: str, error: OSError) -> Win32Error:
    return Win32Error(call, error.winerror or error.errno or 0)
