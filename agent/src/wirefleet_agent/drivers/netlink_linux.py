# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Listening to rtnetlink: link changes of one interface, and "the underlay's routes changed".

A raw socket and two structs, not pyroute2: the tunnel process must start fast and these messages are simple.
Source: rtnetlink(7), netlink(7). Byte order and sizes are the host's.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from .os_errors import driver_error

RTMGRP_LINK = 0x1
RTMGRP_IPV4_IFADDR = 0x10
RTMGRP_IPV4_ROUTE = 0x40
RTMGRP_IPV6_IFADDR = 0x100
RTMGRP_IPV6_ROUTE = 0x400

_RTM_NEWLINK = 16
_RTM_DELLINK = 17
_IFLA_MTU = 4
_IFF_UP = 0x1
_MESSAGE_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port id
_LINK_INFO = struct.Struct("=BxHiII")  # family, device type, index, flags, change mask
_ATTRIBUTE = struct.Struct("=HH")  # length, type
_RECEIVE_BYTES = 65536
_MAX_READS = 64


@dataclass(frozen=True)
class LinkMessage:
    """One RTM_NEWLINK or RTM_DELLINK. mtu_bytes None: the message did not say."""

    ifindex: int
    is_removed: bool
    is_up: bool
    mtu_bytes: int | None


class NetlinkMonitor:
    """A non-blocking socket that hears the given multicast groups of the calling thread's network namespace."""

    def __init__(self, groups: int) -> None:
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        except OSError as error:
            raise driver_error("socket(AF_NETLINK)", error) from error
        try:
            self._socket.setblocking(False)
            self._socket.bind((0, groups))
        except OSError as error:
            self._socket.close()
            raise driver_error("bind(AF_NETLINK)", error) from error

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> tuple[list[bytes], bool]:
        """Waiting datagrams, and whether some were lost (the kernel's queue overflowed: ask for the state anew)."""
        datagrams: list[bytes] = []
        has_lost = False
        for _ in range(_MAX_READS):
            try:
                datagrams.append(self._socket.recv(_RECEIVE_BYTES))
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise driver_error("recv(AF_NETLINK)", error) from error
                has_lost = True
        return datagrams, has_lost

    def close(self) -> None:
        self._socket.close()


class LinuxUnderlayMonitor:
    """Tells that routes or addresses changed, so that sticky sources may be stale (checklist 35)."""

    def __init__(self) -> None:
        self._netlink = NetlinkMonitor(RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR)

    def fileno(self) -> int:
        return self._netlink.fileno()

    def has_changed(self) -> bool:
        """Whether something changed since the last call."""
        datagrams, has_lost = self._netlink.read()
        return bool(datagrams) or has_lost

    def close(self) -> None:
        self._netlink.close()


def link_messages(datagram: bytes) -> Iterator[LinkMessage]:
    """The link messages of one netlink datagram; anything else, and anything cut short, is skipped."""
    offset = 0
    while offset + _MESSAGE_HEADER.size <= len(datagram):
        length, kind, _, _, _ = _MESSAGE_HEADER.unpack_from(datagram, offset)
        if length < _MESSAGE_HEADER.size or offset + length > len(datagram):
            return
        body = datagram[offset + _MESSAGE_HEADER.size : offset + length]
        if kind in (_RTM_NEWLINK, _RTM_DELLINK) and len(body) >= _LINK_INFO.size:
            _, _, ifindex, flags, _ = _LINK_INFO.unpack_from(body)
            yield LinkMessage(ifindex, kind == _RTM_DELLINK, bool(flags & _IFF_UP), _mtu_of(body[_LINK_INFO.size :]))
        offset += (length + 3) & ~3


def _mtu_of(attributes: bytes) -> int | None:
    offset = 0
    while offset + _ATTRIBUTE.size <= len(attributes):
        length, kind = _ATTRIBUTE.unpack_from(attributes, offset)
        if length < _ATTRIBUTE.size:
            return None
        if kind == _IFLA_MTU and length == _ATTRIBUTE.size + 4:
            return int.from_bytes(attributes[offset + _ATTRIBUTE.size : offset + length], sys.byteorder)
        offset += (length + 3) & ~3
    return None
