# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Messages of WSASendMsg and WSARecvMsg on 64-bit Windows: structures, addresses, control data.

Source: ws2def.h, ws2ipdef.h and mswsock.h as Microsoft documents them.
"""

from __future__ import annotations

import ctypes
import ipaddress
import struct
from collections.abc import Iterator

from ..wire.endpoint import Endpoint, LocalAddress

AF_INET = 2
AF_INET6 = 23
IPPROTO_IP = 0
IPPROTO_UDP = 17
IPPROTO_IPV6 = 41
IP_PKTINFO = 19
IPV6_PKTINFO = 19
UDP_SEND_MSG_SIZE = 2

SOCKADDR_BYTES = 28  # the longer of the two
SOCKADDR_IN_BYTES = 16
CONTROL_BYTES = 128

_SOCKADDR_IN = struct.Struct("<H2s4s8x")
_SOCKADDR_IN6 = struct.Struct("<H2sI16sI")
_CMSGHDR = struct.Struct("<Qii")  # length with this header, level, type
_IN_PKTINFO = struct.Struct("<4sI")
_IN6_PKTINFO = struct.Struct("<16sI")
_SIZE_OF_SEGMENT = struct.Struct("<I")
_ALIGNMENT = 8


class WsaBuf(ctypes.Structure):
    """WSABUF."""

    _fields_ = (("length", ctypes.c_uint32), ("address", ctypes.c_void_p))


class WsaMsg(ctypes.Structure):
    """WSAMSG."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_bytes", ctypes.c_int32),
        ("buffers", ctypes.c_void_p),
        ("buffer_count", ctypes.c_uint32),
        ("control", WsaBuf),
        ("flags", ctypes.c_uint32),
    )


def pack_sockaddr(endpoint: Endpoint) -> bytes:
    """SOCKADDR_IN or SOCKADDR_IN6."""
    address, port = ipaddress.ip_address(endpoint.host), endpoint.port.to_bytes(2, "big")
    if address.version == 4:
        return _SOCKADDR_IN.pack(AF_INET, port, address.packed)
    return _SOCKADDR_IN6.pack(AF_INET6, port, 0, address.packed, endpoint.scope_id)


def unpack_sockaddr(data: bytes) -> Endpoint:
    """Raises ValueError for another family. The flow label is left out."""
    (family,) = struct.unpack_from("<H", data)
    if family == AF_INET:
        _, port, packed = _SOCKADDR_IN.unpack_from(data)
        return Endpoint(str(ipaddress.IPv4Address(packed)), int.from_bytes(port, "big"))
    if family != AF_INET6:
        raise ValueError(f"no address family of the internet: {family}")
    _, port, _, packed, scope_id = _SOCKADDR_IN6.unpack_from(data)
    return Endpoint(str(ipaddress.IPv6Address(packed)), int.from_bytes(port, "big"), scope_id)


def pack_control(*messages: tuple[int, int, bytes]) -> bytes:
    """(level, type, data) each, padded as WSA_CMSG_SPACE has it."""
    return b"".join(
        _CMSGHDR.pack(_CMSGHDR.size + len(data), level, kind) + data + bytes(-len(data) % _ALIGNMENT)
        for level, kind, data in messages
    )


def unpack_control(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Ends at the first message that does not fit."""
    offset = 0
    while offset + _CMSGHDR.size <= len(data):
        length, level, kind = _CMSGHDR.unpack_from(data, offset)
        if length < _CMSGHDR.size or offset + length > len(data):
            return
        yield level, kind, data[offset + _CMSGHDR.size : offset + length]
        offset += length + -length % _ALIGNMENT


def pack_source(endpoint: Endpoint, local: LocalAddress) -> tuple[int, int, bytes] | None:
    """The control message that names the source of a datagram; None when the families differ.

    Only the address: naming the interface too would overrule the routing table. Link-local IPv6 needs it.
    """
    source, destination = ipaddress.ip_address(local.host), ipaddress.ip_address(endpoint.host)
    if source.version != destination.version:
        return None
    if source.version == 4:
        return IPPROTO_IP, IP_PKTINFO, _IN_PKTINFO.pack(source.packed, 0)
    ifindex = local.ifindex if destination.is_link_local else 0
    return IPPROTO_IPV6, IPV6_PKTINFO, _IN6_PKTINFO.pack(source.packed, ifindex)


def pack_segment_size(size: int) -> tuple[int, int, bytes]:
    """The control message that lets the stack cut one send into datagrams of ``size`` bytes."""
    return IPPROTO_UDP, UDP_SEND_MSG_SIZE, _SIZE_OF_SEGMENT.pack(size)


def unpack_local(control: bytes) -> LocalAddress | None:
    """The address and interface that a datagram came to, from the control data of WSARecvMsg."""
    for level, kind, data in unpack_control(control):
        if (level, kind, len(data)) == (IPPROTO_IP, IP_PKTINFO, _IN_PKTINFO.size):
            packed, ifindex = _IN_PKTINFO.unpack(data)
        elif (level, kind, len(data)) == (IPPROTO_IPV6, IPV6_PKTINFO, _IN6_PKTINFO.size):
            packed, ifindex = _IN6_PKTINFO.unpack(data)
        else:
            continue
        return LocalAddress(str(ipaddress.ip_address(packed)), ifindex)
    return None
