# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Speaking rtnetlink: hearing the kernel's messages, taking them apart, and settings of one link.

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

assert sys.platform != "win32"  # nothing below means anything there

from .os_errors import driver_error

RTMGRP_LINK = 0x1

_RTM_NEWLINK = 16
_RTM_DELLINK = 17
_NLMSG_ERROR = 2
_NLM_F_REQUEST_ACK = 0x1 | 0x4
_IFLA_MTU = 4
_IFLA_AF_SPEC = 26
_IFLA_GSO_MAX_SEGS = 40
ALL_SEGMENTS = 65535  # GSO_MAX_SEGS, what an interface begins with
_IFLA_INET6_ADDR_GEN_MODE = 8
_IN6_ADDR_GEN_MODE_NONE = 1
_IFF_UP = 0x1
_IS_NEW = 0xFFFFFFFF  # the change mask of a link that has just been made
_MESSAGE_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port id
_LINK_INFO = struct.Struct("=BxHiII")  # family, device type, index, flags, change mask
_ATTRIBUTE = struct.Struct("=HH")  # length, type
_ERROR = struct.Struct("=i")  # 0, or an errno made negative
_RECEIVE_BYTES = 65536
_MAX_READS = 64


@dataclass(frozen=True)
class LinkMessage:
    """One RTM_NEWLINK or RTM_DELLINK. was_set_down: just now. mtu_bytes None: the message did not say."""

    ifindex: int
    is_removed: bool
    is_up: bool
    was_set_down: bool
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


def messages(datagram: bytes) -> Iterator[tuple[int, bytes]]:
    """The kinds and bodies in one netlink datagram; what is cut short ends it."""
    offset = 0
    while offset + _MESSAGE_HEADER.size <= len(datagram):
        length, kind, _, _, _ = _MESSAGE_HEADER.unpack_from(datagram, offset)
        if length < _MESSAGE_HEADER.size or offset + length > len(datagram):
            return
        yield kind, datagram[offset + _MESSAGE_HEADER.size : offset + length]
        offset += (length + 3) & ~3


def attributes(data: bytes) -> dict[int, bytes]:
    """The values by their types; what is cut short is left out."""
    found: dict[int, bytes] = {}
    offset = 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size or offset + length > len(data):
            break
        found[kind] = data[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3
    return found


def link_messages(datagram: bytes) -> Iterator[LinkMessage]:
    """The link messages of one netlink datagram; anything else, and anything cut short, is skipped."""
    for kind, body in messages(datagram):
        if kind in (_RTM_NEWLINK, _RTM_DELLINK) and len(body) >= _LINK_INFO.size:
            _, _, ifindex, flags, changed = _LINK_INFO.unpack_from(body)
            is_up = bool(flags & _IFF_UP)
            was_set_down = not is_up and bool(changed & _IFF_UP) and changed != _IS_NEW
            mtu = attributes(body[_LINK_INFO.size :]).get(_IFLA_MTU, b"")
            mtu_bytes = int.from_bytes(mtu, sys.byteorder) if len(mtu) == 4 else None
            yield LinkMessage(ifindex, kind == _RTM_DELLINK, is_up, was_set_down, mtu_bytes)


def forbid_link_local(ifindex: int) -> None:
    """The kernel gives the interface no IPv6 address of its own making. Raises DriverError.

    To be called before the interface is up. A host without IPv6 has nothing to forbid.
    """
    mode = _attribute(_IFLA_INET6_ADDR_GEN_MODE, bytes([_IN6_ADDR_GEN_MODE_NONE]))
    _change_link(ifindex, _attribute(_IFLA_AF_SPEC, _attribute(socket.AF_INET6, mode)), "addr_gen_mode")


def limit_segments(ifindex: int, segments: int = ALL_SEGMENTS) -> None:
    """The kernel gives the interface super-packets of at most so many packets. Raises DriverError.

    The host's own connections respect it; what is forwarded and has more comes packet by packet.
    """
    _change_link(ifindex, _attribute(_IFLA_GSO_MAX_SEGS, struct.pack("=I", segments)), "gso_max_segs")


def _change_link(ifindex: int, attributes: bytes, what: str) -> None:
    """A kernel that does not know the attribute, or a host without its address family, has nothing to change."""
    body = _LINK_INFO.pack(socket.AF_UNSPEC, 0, ifindex, 0, 0) + attributes
    request = _MESSAGE_HEADER.pack(_MESSAGE_HEADER.size + len(body), _RTM_NEWLINK, _NLM_F_REQUEST_ACK, 1, 0) + body
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as netlink:
            netlink.sendto(request, (0, 0))
            reply = netlink.recv(_RECEIVE_BYTES)  # the kernel answers within sendto
    except OSError as error:
        raise driver_error("RTM_NEWLINK", error) from error
    kind: int = _MESSAGE_HEADER.unpack_from(reply)[1]
    code: int = -_ERROR.unpack_from(reply, _MESSAGE_HEADER.size)[0] if kind == _NLMSG_ERROR else 0
    if code not in (0, errno.EAFNOSUPPORT, errno.EOPNOTSUPP):
        raise driver_error("RTM_NEWLINK", OSError(code, what))


def _attribute(kind: int, value: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(-length % 4)
