# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Listening TCP sockets that no other network of the host reaches.

Linux hands a packet for an address of one interface to its owner through whatever interface it came: a neighbour in the
underlay could call an overlay address. So the socket is bound to an interface as well; what the host sends to itself
comes through ``lo``, which takes a socket of its own. Windows does not let such packets in unless it forwards
(RFC 1122's strong host); there, and everywhere, whoever accepts also looks at the source.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys
from dataclasses import dataclass

from ..errors import DriverError
from .os_errors import driver_error

_BACKLOG = 16
_OLD_LINUX = "Linux before 5.7 wants CAP_NET_RAW for this"


@dataclass(frozen=True)
class ListenAt:
    """address: numeric, never unspecified. interface: its name, "" for any; index: the system's, 0 with any.

    An interface that was made anew has another index: a socket that was bound to the old one hears nothing more.
    """

    address: str
    port: int
    interface: str = ""
    index: int = 0

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}{'%' if self.interface else ''}{self.interface}"


def listen_places(address: str, port: int, interface: str) -> tuple[ListenAt, ...]:
    """Where to listen for an address of an interface: there, and for the host itself. Empty while there is none."""
    try:
        index = socket.if_nametoindex(interface) if sys.platform == "linux" else 0
    except OSError:
        return ()
    if not index:
        return (ListenAt(address, port),)
    loopback = ListenAt(address, port, "lo", socket.if_nametoindex("lo"))
    return (ListenAt(address, port, interface, index), loopback)


def open_listener(at: ListenAt) -> socket.socket:
    """Non-blocking. Raises DriverError; EADDRNOTAVAIL (WSAEADDRNOTAVAIL) while the host does not have the address."""
    address = ipaddress.ip_address(at.address)
    if address.is_unspecified or address.is_multicast:
        raise DriverError("this is no address of one host", call="bind", os_code=errno.EINVAL, path=str(at))
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise driver_error("socket", error, path=str(at)) from error
    try:
        listener.setblocking(False)
        if sys.platform == "win32":
            # Without it, another account could listen on the same address and port, and take our callers.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of an earlier process linger
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if at.interface and sys.platform == "linux":
            _bind_to_interface(listener, at)
        listener.bind((at.address, at.port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise driver_error("bind", error, path=str(at)) from error
    except DriverError:
        listener.close()
        raise
    return listener


if sys.platform == "linux":

    def _bind_to_interface(listener: socket.socket, at: ListenAt) -> None:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, os.fsencode(at.interface))
        except PermissionError as error:
            raise driver_error("setsockopt", error, path=str(at), hint=_OLD_LINUX) from error
