# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A recording WinsockApi: sockets of one host in memory that understand WSAMSG structures.

``calls`` are options, control codes and binds in order. ``fail`` makes the next calls of one name fail with WSA codes.
"""

from __future__ import annotations

import ctypes
import struct
from collections import deque

from wirefleet_agent.drivers.doorbell import Doorbell
from wirefleet_agent.drivers.win32_errors import (
    WSAEADDRINUSE,
    WSAEADDRNOTAVAIL,
    WSAEINVAL,
    WSAEMSGSIZE,
    WSAENETUNREACH,
    WSAEWOULDBLOCK,
    Win32Error,
)
from wirefleet_agent.drivers.winsock_layouts import (
    AF_INET,
    IP_PKTINFO,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_UDP,
    IPV6_PKTINFO,
    UDP_SEND_MSG_SIZE,
    WsaBuf,
    WsaMsg,
    pack_control,
    pack_sockaddr,
    unpack_control,
    unpack_local,
    unpack_sockaddr,
)
from wirefleet_agent.wire.endpoint import Endpoint

HOSTS = ("127.0.0.1", "::1")
IFINDEX = 7


class FakeWinsock:
    """can_segment: UDP_SEND_MSG_SIZE exists. families: those the host has."""

    def __init__(self, *, can_segment: bool = False, families: tuple[int, ...] = (2, 23)) -> None:
        self.can_segment = can_segment
        self.calls: list[tuple[object, ...]] = []
        self.sent: list[tuple[Endpoint, str | None, tuple[bytes, ...]]] = []
        self.bound: dict[tuple[int, int], FakeSocket] = {}
        self.is_writable = True
        self._families = families
        self._failures: dict[str, deque[int]] = {}
        self._next_port = 50000

    def fail(self, call: str, *codes: int) -> None:
        self._failures.setdefault(call, deque()).extend(codes)

    def enter(self, call: str, *arguments: object) -> None:
        self.calls.append((call, *arguments))
        if self._failures.get(call):
            raise Win32Error(call, self._failures[call].popleft())

    def socket(self, family: int) -> FakeSocket:
        self.enter("socket", family)
        if family not in self._families:
            raise Win32Error("socket", 10047)
        return FakeSocket(self, family)

    def free_port(self) -> int:
        self._next_port += 1
        return self._next_port


class FakeSocket:
    def __init__(self, winsock: FakeWinsock, family: int) -> None:
        self._winsock = winsock
        self.family = family
        self.port = 0
        self.is_closed = False
        self._bell = Doorbell()
        self._queue: deque[tuple[Endpoint, bytes]] = deque()

    @property
    def host(self) -> str:
        return HOSTS[self.family != AF_INET]

    def fileno(self) -> int:
        return self._bell.fileno()

    def set_option(self, level: int, name: int, value: int) -> None:
        self._winsock.enter("set_option", self.family, level, name, value)
        if (level, name) == (IPPROTO_UDP, UDP_SEND_MSG_SIZE) and not self._winsock.can_segment:
            raise Win32Error("setsockopt", WSAEINVAL)

    def switch_off(self, control_code: int) -> None:
        self._winsock.enter("switch_off", self.family, control_code)

    def bind(self, port: int) -> None:
        self._winsock.enter("bind", self.family, port)
        if (self.family, port) in self._winsock.bound:
            raise Win32Error("bind", WSAEADDRINUSE)
        self.port = port or self._winsock.free_port()
        self._winsock.bound[self.family, self.port] = self

    def arrive(self, source: Endpoint, datagram: bytes) -> None:
        self._queue.append((source, datagram))
        self._bell.ring()

    def receive(self, message: int) -> int:
        self._winsock.enter("receive")
        if not self._queue:
            self._bell.silence()
            raise Win32Error("WSARecvMsg", WSAEWOULDBLOCK)
        source, datagram = self._queue.popleft()
        parsed = WsaMsg.from_address(message)
        room = WsaBuf.from_address(parsed.buffers)
        if len(datagram) > room.length:
            raise Win32Error("WSARecvMsg", WSAEMSGSIZE)
        ctypes.memmove(room.address, datagram, len(datagram))
        name = pack_sockaddr(source)
        ctypes.memmove(parsed.name, name, len(name))
        parsed.name_bytes = len(name)
        control = self._control()
        assert len(control) <= parsed.control.length
        ctypes.memmove(parsed.control.address, control, len(control))
        parsed.control.length = len(control)
        return len(datagram)

    def send(self, message: int) -> int:
        parsed = WsaMsg.from_address(message)
        target = unpack_sockaddr(ctypes.string_at(parsed.name, parsed.name_bytes))
        control = ctypes.string_at(parsed.control.address, parsed.control.length) if parsed.control.length else b""
        buffers = (WsaBuf * parsed.buffer_count).from_address(parsed.buffers)
        datagrams = _cut(b"".join(ctypes.string_at(buffer.address, buffer.length) for buffer in buffers), control)
        local = unpack_local(control)
        self._winsock.enter("send", len(datagrams))
        if local is not None and local.host not in HOSTS:
            raise Win32Error("WSASendMsg", WSAEADDRNOTAVAIL)
        if target.host not in HOSTS:
            raise Win32Error("WSASendMsg", WSAENETUNREACH)
        self._winsock.sent.append((target, local.host if local else None, datagrams))
        receiver = self._winsock.bound.get((self.family, target.port))
        for datagram in datagrams if receiver is not None else ():
            assert receiver is not None
            receiver.arrive(Endpoint(self.host, self.port), datagram)
        return sum(map(len, datagrams))

    def wait_writable(self, timeout_s: float) -> bool:
        self._winsock.enter("wait_writable", timeout_s)
        return self._winsock.is_writable

    def close(self) -> None:
        self.is_closed = True
        if self._winsock.bound.get((self.family, self.port)) is self:
            del self._winsock.bound[self.family, self.port]
        self._bell.close()

    def _control(self) -> bytes:
        packed = bytes([127, 0, 0, 1]) if self.family == AF_INET else bytes(15) + b"\1"
        level = (IPPROTO_IP, IP_PKTINFO) if self.family == AF_INET else (IPPROTO_IPV6, IPV6_PKTINFO)
        return pack_control((*level, packed + struct.pack("<I", IFINDEX)))


def _cut(payload: bytes, control: bytes) -> tuple[bytes, ...]:
    for level, kind, data in unpack_control(control):
        if (level, kind) == (IPPROTO_UDP, UDP_SEND_MSG_SIZE):
            (size,) = struct.unpack("<I", data)
            return tuple(payload[i : i + size] for i in range(0, len(payload), size))
    return (payload,)
