# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Codes of Win32 and Winsock, and a failed call as the DriverError it becomes.

The bindings raise Win32Error, not OSError, which would take the code for an errno; those numbers mean other things.
Source: winerror.h, System Error Codes and Windows Sockets Error Codes of Microsoft's documentation.
"""

from __future__ import annotations

from ..errors import DriverError

ERROR_FILE_NOT_FOUND = 2
ERROR_ACCESS_DENIED = 5
ERROR_INVALID_DATA = 13
ERROR_HANDLE_EOF = 38
ERROR_NOT_SUPPORTED = 50
ERROR_FILE_EXISTS = 80
ERROR_INVALID_PARAMETER = 87
ERROR_BUFFER_OVERFLOW = 111
ERROR_ALREADY_EXISTS = 183
WAIT_TIMEOUT = 258
ERROR_NO_MORE_ITEMS = 259
ERROR_SERVICE_DISABLED = 1058
ERROR_NOT_FOUND = 1168
ERROR_ALREADY_INITIALIZED = 1247
ERROR_PRIVILEGE_NOT_HELD = 1314
ERROR_TIMEOUT = 1460
ERROR_DEVICE_NOT_AVAILABLE = 4319
ERROR_OBJECT_ALREADY_EXISTS = 5010

WSAEACCES = 10013
WSAEINVAL = 10022
WSAEWOULDBLOCK = 10035
WSAEMSGSIZE = 10040
WSAEPROTONOSUPPORT = 10043
WSAEAFNOSUPPORT = 10047
WSAEADDRINUSE = 10048
WSAEADDRNOTAVAIL = 10049
WSAENETDOWN = 10050
WSAENETUNREACH = 10051
WSAENETRESET = 10052
WSAECONNRESET = 10054
WSAENOBUFS = 10055
WSAEHOSTUNREACH = 10065

_MESSAGES = {
    ERROR_FILE_NOT_FOUND: "the system cannot find the file",
    ERROR_ACCESS_DENIED: "access is denied",
    ERROR_INVALID_DATA: "the data is invalid",
    ERROR_HANDLE_EOF: "the interface is gone",
    ERROR_NOT_SUPPORTED: "this is not supported here",
    ERROR_FILE_EXISTS: "the file exists",
    ERROR_INVALID_PARAMETER: "the parameter is incorrect",
    ERROR_ALREADY_EXISTS: "it already exists",
    ERROR_SERVICE_DISABLED: "a service that is needed is disabled",
    ERROR_NOT_FOUND: "element not found",
    ERROR_ALREADY_INITIALIZED: "it is in use already",
    ERROR_PRIVILEGE_NOT_HELD: "a privilege is missing",
    WAIT_TIMEOUT: "the operation timed out",
    ERROR_TIMEOUT: "the operation timed out",
    ERROR_DEVICE_NOT_AVAILABLE: "Windows did not set the device up",
    ERROR_OBJECT_ALREADY_EXISTS: "the object already exists",
    WSAEACCES: "the port is reserved or used exclusively",
    WSAEINVAL: "an argument is invalid",
    WSAEPROTONOSUPPORT: "the protocol is not supported",
    WSAEAFNOSUPPORT: "the address family is not supported",
    WSAEADDRINUSE: "the address is in use",
    WSAEADDRNOTAVAIL: "the address is not one of this host's",
}
_LAST_NET_HELPMSG = 15999
_FACILITY_WIN32 = 0x8007
_HINTS = {
    ERROR_ACCESS_DENIED: "run it as SYSTEM or as an administrator",
    ERROR_SERVICE_DISABLED: "enable the services NetSetupSvc and DevInstall (wirefleet-agent doctor --fix)",
    ERROR_PRIVILEGE_NOT_HELD: "the privileges that the service keeps do not suffice; wirefleet-agent status lists them",
    WAIT_TIMEOUT: "Windows is still installing devices; it is tried again",
    ERROR_TIMEOUT: "Windows is still installing devices; it is tried again",
    ERROR_DEVICE_NOT_AVAILABLE: "the log has the device's problem code; after a Windows update a reboot may be due",
    ERROR_HANDLE_EOF: "somebody removed or disabled the adapter; starting the tunnel again makes it anew",
    ERROR_INVALID_DATA: "start the tunnel again; if this comes back, restart Windows",
    WSAEAFNOSUPPORT: "switch on IPv4 or IPv6 on this host",
    WSAEACCES: "another program or a reserved range holds this port: netsh int ipv4 show excludedportrange udp",
    WSAEADDRINUSE: "another program uses this port",
}


class Win32Error(Exception):
    """A call of Windows failed. call: its name; code: GetLastError() or WSAGetLastError().

    Some DLLs leave an HRESULT there, and ctypes takes all codes for signed: the code is without sign, and where an
    HRESULT wraps a code of Windows it is that one.
    """

    def __init__(self, call: str, code: int) -> None:
        code &= 0xFFFFFFFF
        if code >> 16 == _FACILITY_WIN32:
            code &= 0xFFFF
        super().__init__(f"{call}: {message_of(code)}")
        self.call = call
        self.code = code

    def as_driver_error(
        self, *, call: str | None = None, path: str | None = None, hint: str | None = None
    ) -> DriverError:
        """For ``raise error.as_driver_error() from error``. call: where the operator knows it by another name."""
        return DriverError(
            message_of(self.code),
            call=call or self.call,
            os_code=self.code,
            path=path,
            hint=hint or _HINTS.get(self.code) or _general_hint(self.code),
        )


def message_of(code: int) -> str:
    """One line in English, whatever the system's language is."""
    known = _MESSAGES.get(code)
    return f"{known} (Windows error {code})" if known else f"Windows error {code}"


def _general_hint(code: int) -> str | None:
    return f"what Windows says about it: net helpmsg {code}" if 0 < code <= _LAST_NET_HELPMSG else None
