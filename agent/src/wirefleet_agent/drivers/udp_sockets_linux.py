# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Opening the UDP sockets of Linux: both families on one port, with what the tunnel needs of them.

Source: ip(7), ipv6(7), udp(7), socket(7).
"""

from __future__ import annotations

import contextlib
import errno
import socket
import sys

assert sys.platform != "win32"  # nothing below means anything there

from ..errors import DriverError
from .os_errors import driver_error

_IP_PKTINFO = 8
_SO_MARK = 36
_SO_SNDBUFFORCE = 32
_SO_RCVBUFFORCE = 33
_BUFFER_BYTES = 7 << 20
_MISSING_FAMILY = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT})
_PORT_TRIES = 100


def open_pair(port: int, fwmark: int) -> tuple[socket.socket, ...]:
    """One socket per family that this host has, all on one port; IPv4 first."""
    for tries_left in reversed(range(_PORT_TRIES)):
        sockets: list[socket.socket] = []
        try:
            for family in (socket.AF_INET, socket.AF_INET6):
                wanted = sockets[0].getsockname()[1] if sockets else port
                with contextlib.suppress(_MissingFamilyError):
                    sockets.append(_open_one(family, wanted, fwmark))
        except DriverError as error:
            for sock in sockets:
                sock.close()
            if port == 0 and error.os_code == errno.EADDRINUSE and tries_left:
                continue  # the port was free for one family only (checklist 34)
            raise
        if sockets:
            return tuple(sockets)
        break
    raise DriverError("this host has neither IPv4 nor IPv6", call="socket", os_code=errno.EAFNOSUPPORT)


class _MissingFamilyError(Exception):
    """This host does not have the address family."""


def _open_one(family: socket.AddressFamily, port: int, fwmark: int) -> socket.socket:
    try:
        sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    except OSError as error:
        if error.errno in _MISSING_FAMILY:
            raise _MissingFamilyError from error
        raise driver_error("socket", error) from error
    try:
        _configure(sock, fwmark)
        sock.bind(("" if family == socket.AF_INET else "::", port))
    except OSError as error:
        sock.close()
        if error.errno in _MISSING_FAMILY:
            raise _MissingFamilyError from error
        raise driver_error("bind", error, path=f"UDP port {port}") from error
    except DriverError:
        sock.close()
        raise
    return sock


def _configure(sock: socket.socket, fwmark: int) -> None:
    sock.setblocking(False)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    for forced, plain in ((_SO_RCVBUFFORCE, socket.SO_RCVBUF), (_SO_SNDBUFFORCE, socket.SO_SNDBUF)):
        try:
            sock.setsockopt(socket.SOL_SOCKET, forced, _BUFFER_BYTES)
        except OSError:  # needs CAP_NET_ADMIN in the first user namespace; then as much as the host allows
            sock.setsockopt(socket.SOL_SOCKET, plain, _BUFFER_BYTES)
    if fwmark:
        set_mark(sock, fwmark)


def set_mark(sock: socket.socket, mark: int) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_MARK, mark)
    except OSError as error:
        raise driver_error("setsockopt(SO_MARK)", error) from error
