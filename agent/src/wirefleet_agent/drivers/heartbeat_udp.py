# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The sockets of heartbeats: plain UDP, one per overlay address of this host, on any platform.

On Linux they are bound to the tunnel's interface as well: a datagram with a peer's source address that comes from
elsewhere (another interface, another process here) would otherwise be taken for the peer's, since only the tunnel
checks sources. An address may still be tentative when the interface has just come up, so it need not be there yet.
Windows takes packets for an address only from the interface that has it (strong host model, RFC 1122 3.3.4.2).

Source: socket(7), ip(7), ipv6(7).
"""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Sequence

from ..errors import DriverError
from .interfaces import Heartbeat

_RECEIVE_AT_MOST = 64
_MAX_PAYLOAD_BYTES = 2048
_BUFFER_BYTES = 2 << 20
_SO_RCVBUFFORCE = 33
_SO_BINDTODEVICE = 25
_IP_FREEBIND = 15
_IPV6_FREEBIND = 78


class UdpHeartbeats:
    """See HeartbeatDriver. interface: the tunnel's, in the calling thread's network namespace."""

    def __init__(self, interface: str) -> None:
        self._interface = interface
        self._sockets: dict[bytes, socket.socket] = {}
        self._by_fileno: dict[int, tuple[socket.socket, bytes]] = {}

    def open(self, port: int, addresses: Sequence[bytes]) -> None:
        self.close()
        try:
            for address in addresses:
                self._sockets[address] = self._open_one(address, port)
        except OSError as error:
            self.close()
            raise DriverError(
                f"cannot open the heartbeat socket: {error.strerror or error}",
                call="bind",
                os_code=error.errno or 0,
                path=f"UDP port {port}",
                hint="does another process use the port on the overlay address?",
            ) from error
        self._by_fileno = {sock.fileno(): (sock, address) for address, sock in self._sockets.items()}

    def filenos(self) -> tuple[int, ...]:
        return tuple(self._by_fileno)

    def receive(self, fileno: int) -> list[Heartbeat]:
        found: list[Heartbeat] = []
        entry = self._by_fileno.get(fileno)
        if entry is None:
            return found
        sock, local = entry
        family = sock.family
        for _ in range(_RECEIVE_AT_MOST):
            try:
                payload, address = sock.recvfrom(_MAX_PAYLOAD_BYTES)
            except BlockingIOError:
                break
            except OSError:
                # Windows tells here that something sent earlier was not taken, and Linux may tell of the interface.
                continue
            with contextlib.suppress(OSError):  # an address with a zone: no overlay address
                found.append(Heartbeat(payload, socket.inet_pton(family, address[0]), address[1], local))
        return found

    def send(self, payload: bytes, destination: bytes, destination_port: int, local: bytes) -> bool:
        sock = self._sockets.get(local)
        if sock is None or len(destination) != len(local):
            return False
        try:
            sock.sendto(payload, (socket.inet_ntop(sock.family, destination), destination_port))
        except OSError:
            return False
        return True

    def close(self) -> None:
        for sock in self._sockets.values():
            sock.close()
        self._sockets.clear()
        self._by_fileno.clear()

    def _open_one(self, address: bytes, port: int) -> socket.socket:
        """Raises OSError."""
        family = socket.AF_INET if len(address) == 4 else socket.AF_INET6
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            if sys.platform == "linux":
                sock.setsockopt(socket.SOL_SOCKET, _SO_BINDTODEVICE, self._interface.encode() + b"\0")
                level, option = (
                    (socket.IPPROTO_IP, _IP_FREEBIND)
                    if family == socket.AF_INET
                    else (socket.IPPROTO_IPV6, _IPV6_FREEBIND)
                )
                sock.setsockopt(level, option, 1)
            _enlarge(sock)
            sock.bind((socket.inet_ntop(family, address), port))
        except OSError:
            sock.close()
            raise
        return sock


def _enlarge(sock: socket.socket) -> None:
    """A hub of a thousand spokes may get all their heartbeats in one moment."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
            return
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
