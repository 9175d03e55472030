# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""UDP sockets of Windows: both families on one port, sticky source addresses.

Reports of unreachable targets, which Windows hands to the next receive of an innocent datagram, are switched off.
No socket has a time-out: Python would then wait with select() before every call.

Where the stack can (Windows 10 2004 and later), a run of equal datagrams to one peer leaves in one call and the stack
cuts it (UDP_SEND_MSG_SIZE). If that fails where the same datagrams leave one by one, it is not tried again.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Protocol

import structlog

from ..errors import DriverError
from ..wire.batch import Batch
from ..wire.endpoint import Endpoint, LocalAddress
from .datagram_runs import run_length
from .udp_messages import Inbox, SlotBuffers, Way, WinSocket, slot_address
from .win32_errors import (
    WSAEACCES,
    WSAEADDRINUSE,
    WSAEADDRNOTAVAIL,
    WSAEAFNOSUPPORT,
    WSAEHOSTUNREACH,
    WSAEINVAL,
    WSAENETDOWN,
    WSAENETUNREACH,
    WSAENOBUFS,
    WSAEPROTONOSUPPORT,
    WSAEWOULDBLOCK,
    Win32Error,
)
from .winsock_layouts import (
    AF_INET,
    AF_INET6,
    IP_PKTINFO,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_UDP,
    IPV6_PKTINFO,
    UDP_SEND_MSG_SIZE,
)

SOL_SOCKET = 0xFFFF
SO_SNDBUF = 0x1001
SO_RCVBUF = 0x1002
SO_EXCLUSIVEADDRUSE = -5
IPV6_V6ONLY = 27
SIO_UDP_CONNRESET = 0x9800000C
SIO_UDP_NETRESET = 0x9800000F

_BUFFER_BYTES = 7 << 20
_PROBE_SEGMENT_BYTES = 1200
_MAX_RUN_BYTES = 60000
_PORT_TRIES = 100
_CACHE_ENTRIES = 4096
_FULL_BUFFER_WAIT_S = 0.01
_MISSING_FAMILY = frozenset({WSAEAFNOSUPPORT, WSAEPROTONOSUPPORT, WSAEADDRNOTAVAIL})
_NO_ROOM = frozenset({WSAEWOULDBLOCK, WSAENOBUFS})
_TAKEN = frozenset({WSAEADDRINUSE, WSAEACCES})
_STALE_SOURCE = frozenset({WSAEINVAL, WSAEADDRNOTAVAIL, WSAENETDOWN, WSAENETUNREACH, WSAEHOSTUNREACH})

_Key = tuple[Endpoint, LocalAddress | None]

_log = structlog.get_logger(room="drivers")


class WinsockApi(Protocol):
    """Makes sockets."""

    def socket(self, family: int) -> WinSocket:
        """A UDP socket that never blocks. Raises Win32Error."""


class WindowsUdp:
    """See UdpDriver."""

    def __init__(self, winsock: WinsockApi | None = None) -> None:
        self._winsock = winsock or _system_winsock()
        self._sockets: dict[int, WinSocket] = {}
        self._by_fileno: dict[int, WinSocket] = {}
        self._port = 0
        self._ways: dict[_Key, Way] = {}
        self._inbox = Inbox()
        self._buffers = SlotBuffers()
        self._may_wait = True
        self._can_segment: bool | None = None
        self._run_error: Win32Error | None = None

    @property
    def port(self) -> int:
        return self._port

    @property
    def offloads(self) -> tuple[str, ...]:
        return ("segmentation",) if self._can_segment else ()

    @property
    def receive_errors(self) -> int:
        return self._inbox.errors

    def filenos(self) -> tuple[int, ...]:
        return tuple(self._by_fileno)

    def open(self, port: int) -> None:
        if self._sockets and port == self._port:
            return
        sockets = _open_pair(self._winsock, port)
        self.close()
        self._sockets = sockets
        self._by_fileno = {sock.fileno(): sock for sock in sockets.values()}
        self._port = next(iter(sockets.values())).port
        if self._can_segment is None:
            self._can_segment = _can_segment(self._winsock, next(iter(sockets)))

    def set_fwmark(self, mark: int) -> None:
        """Windows has none (checklist 36)."""

    def forget_sources(self) -> None:
        """Routes or addresses changed: local addresses that failed earlier may serve again."""
        self._ways.clear()

    def receive_batch(self, fileno: int, batch: Batch) -> int:
        sock = self._by_fileno.get(fileno)
        batch.count = 0
        return 0 if sock is None else self._inbox.receive_batch(sock, batch)

    def send_batch(self, batch: Batch) -> int:
        """See UdpDriver. A batch waits for room in the socket's buffer at most once."""
        self._may_wait = True
        buffers, first = self._buffers.of(batch)
        endpoints, locals_, lengths, ways = batch.endpoints, batch.locals, batch.lengths, self._ways
        sent = i = 0
        while i < batch.count:
            endpoint = endpoints[i]
            if endpoint is None:
                i += 1
                continue
            key = endpoint, locals_[i]
            way = ways.get(key) or self._way(key)
            run = run_length(batch, i, _MAX_RUN_BYTES) if self._can_segment else 1
            for k in range(i, i + run):
                buffers[k].length = lengths[k]
            if way is not None:
                address = slot_address(first, i)
                if run > 1 and self._send_run(way, address, run, lengths[i]):
                    sent += run
                else:
                    left = sum(self._send(ways[key], slot_address(first, k), key) for k in range(i, i + run))
                    sent += left
                    if self._run_error is not None:
                        self._judge_segmentation(is_to_blame=left == run and ways[key] is way)
            i += run
        return sent

    def close(self) -> None:
        for sock in self._sockets.values():
            sock.close()
        self._sockets = {}
        self._by_fileno = {}
        self._port = 0
        self._ways.clear()

    def _send(self, way: Way, buffer: int, key: _Key) -> bool:
        try:
            way.socket.send(way.message.take(buffer))
        except Win32Error as error:
            return self._retry(error, way, buffer, key)
        return True

    def _retry(self, error: Win32Error, way: Way, buffer: int, key: _Key) -> bool:
        """Once more: after a moment when the buffer is full, without the local address when that is stale."""
        if error.code == WSAEWOULDBLOCK:
            self._may_wait = self._may_wait and way.socket.wait_writable(_FULL_BUFFER_WAIT_S)
            if not self._may_wait:
                return False
        elif way.has_source and error.code in _STALE_SOURCE:
            way = self._ways[key] = Way(way.socket, key[0], None)
        else:
            return False
        try:
            way.socket.send(way.message.take(buffer))
        except Win32Error:
            return False
        return True

    def _send_run(self, way: Way, buffer: int, run: int, size: int) -> bool:
        """All or nothing, as the stack takes it."""
        try:
            way.socket.send(way.segmented(size).take(buffer, run))
        except Win32Error as error:
            self._run_error = None if error.code in _NO_ROOM else error
            return False
        return True

    def _judge_segmentation(self, *, is_to_blame: bool) -> None:
        """After a run that failed. It ends for good if the same datagrams left one by one on the same way.

        If they did not, the way was to blame: no route for a moment, a local address that is no longer there.
        """
        error, self._run_error = self._run_error, None
        if error is not None and is_to_blame:
            self._can_segment = False
            _log.info("udp_segmentation_failed", error=str(error), code=error.code)

    def _way(self, key: _Key) -> Way | None:
        endpoint, local = key
        sock = self._sockets.get(AF_INET6 if endpoint.is_ipv6 else AF_INET)
        if sock is None:
            return None
        if len(self._ways) >= _CACHE_ENTRIES:
            self._ways.clear()
        way = self._ways[key] = Way(sock, endpoint, local)
        return way


def _system_winsock() -> WinsockApi:
    if sys.platform == "win32":
        from .win32.winsock import Winsock

        return Winsock()
    raise DriverError("this driver is for Windows", call="socket")


def _open_pair(winsock: WinsockApi, port: int) -> dict[int, WinSocket]:
    """One socket per family that this host has, all on one port; IPv4 first."""
    for tries_left in reversed(range(_PORT_TRIES)):
        sockets: dict[int, WinSocket] = {}
        wanted = port
        try:
            for family in (AF_INET, AF_INET6):
                with contextlib.suppress(_MissingFamilyError):
                    sockets[family] = _open_one(winsock, family, wanted)
                    wanted = sockets[family].port
        except DriverError as error:
            for sock in sockets.values():
                sock.close()
            if port == 0 and error.os_code in _TAKEN and tries_left:
                continue  # the port was free for one family only (checklist 34)
            raise
        if sockets:
            return sockets
        break
    raise Win32Error("socket", WSAEAFNOSUPPORT).as_driver_error(path=f"UDP port {port}")


class _MissingFamilyError(Exception):
    """This host does not have the address family."""


def _open_one(winsock: WinsockApi, family: int, port: int) -> WinSocket:
    try:
        sock = winsock.socket(family)
    except Win32Error as error:
        if error.code in _MISSING_FAMILY:
            raise _MissingFamilyError from error
        raise error.as_driver_error() from error
    try:
        _configure(sock, family)
        sock.bind(port)
    except Win32Error as error:
        sock.close()
        if error.code in _MISSING_FAMILY:
            raise _MissingFamilyError from error
        raise error.as_driver_error(path=f"UDP port {port}") from error
    return sock


def _configure(sock: WinSocket, family: int) -> None:
    """Before it is bound: from then on nobody may share the port, and nothing arrives that lacks its local address."""
    sock.set_option(SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1)
    if family == AF_INET6:
        sock.set_option(IPPROTO_IPV6, IPV6_V6ONLY, 1)
        sock.set_option(IPPROTO_IPV6, IPV6_PKTINFO, 1)
    else:
        sock.set_option(IPPROTO_IP, IP_PKTINFO, 1)
    sock.set_option(SOL_SOCKET, SO_RCVBUF, _BUFFER_BYTES)
    sock.set_option(SOL_SOCKET, SO_SNDBUF, _BUFFER_BYTES)
    for control_code in (SIO_UDP_CONNRESET, SIO_UDP_NETRESET):
        with contextlib.suppress(Win32Error):  # an older stack without it: receiving skips such errors as well
            sock.switch_off(control_code)


def _can_segment(winsock: WinsockApi, family: int) -> bool:
    """Probe a socket of its own: the option would stay on. Logged once per driver."""
    try:
        probe = winsock.socket(family)
    except Win32Error:
        return False
    try:
        probe.set_option(IPPROTO_UDP, UDP_SEND_MSG_SIZE, _PROBE_SEGMENT_BYTES)
    except Win32Error as error:
        _log.info("udp_segmentation", is_available=False, code=error.code)
        return False
    finally:
        probe.close()
    _log.info("udp_segmentation", is_available=True)
    return True
