# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Hears from rtnetlink that packets of the underlay may leave another way now.

What counts, and what does not, because a source that is forgotten in vain makes the next packet leave from another
address than the peer sent to, which a NAT or firewall on the peer's side throws away:

=======================  ==============================================================================
an address went          counts: it may have been a source
an address came          does not, nor do the routes that the kernel makes for it: no source is worse for them,
                         and leases and prefixes are renewed all day
a route came or went     counts, unless it only follows addresses (table local) or is link-local
a link was set down      counts: the kernel does not name the IPv4 routes that go with it
our own interface        never counts: the underlay does not lead through the tunnel
=======================  ==============================================================================

Source: rtnetlink(7).
"""

from __future__ import annotations

import socket
import struct
import sys

assert sys.platform != "win32"  # nothing below means anything there

from .netlink_linux import RTMGRP_LINK, NetlinkMonitor, attributes, link_messages, messages

_RTMGRP_IPV4_IFADDR = 0x10
_RTMGRP_IPV4_ROUTE = 0x40
_RTMGRP_IPV6_IFADDR = 0x100
_RTMGRP_IPV6_ROUTE = 0x400
_GROUPS = RTMGRP_LINK | _RTMGRP_IPV4_ROUTE | _RTMGRP_IPV6_ROUTE | _RTMGRP_IPV4_IFADDR | _RTMGRP_IPV6_IFADDR

_RTM_DELADDR = 21
_RTM_NEWROUTE = 24
_RTM_DELROUTE = 25
_ADDRESS = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, index
_ROUTE = struct.Struct("=BBBBBBBBI")  # family, two prefix lengths, tos, table, protocol, scope, type, flags
_SCOPE_LINK = 253
_TABLE_LOCAL = 255
_BY_KERNEL = 2  # RTPROT_KERNEL
_RTA_DST = 1
_RTA_OIF = 4


class LinuxUnderlayMonitor:
    """See UnderlayMonitor. Raises DriverError.

    tunnel: the interface whose own routes and addresses do not count, in the calling thread's network namespace.
    """

    def __init__(self, tunnel: str | None = None) -> None:
        self._ifindex = 0 if tunnel is None else socket.if_nametoindex(tunnel)
        self._netlink = NetlinkMonitor(_GROUPS)

    def fileno(self) -> int:
        return self._netlink.fileno()

    def has_changed(self) -> bool:
        """Whether something changed since the last call."""
        datagrams, has_lost = self._netlink.read()
        return has_lost or any(moves_packets(datagram, self._ifindex) for datagram in datagrams)

    def close(self) -> None:
        self._netlink.close()


def moves_packets(datagram: bytes, tunnel_ifindex: int) -> bool:
    """Whether one of these messages may mean another source or another way for packets of the underlay."""
    return any(link.was_set_down and link.ifindex != tunnel_ifindex for link in link_messages(datagram)) or any(
        _took_address(kind, body, tunnel_ifindex) or _changed_route(kind, body, tunnel_ifindex)
        for kind, body in messages(datagram)
    )


def _took_address(kind: int, body: bytes, tunnel_ifindex: int) -> bool:
    if kind != _RTM_DELADDR or len(body) < _ADDRESS.size:
        return False
    _, _, _, scope, ifindex = _ADDRESS.unpack_from(body)
    return bool(scope != _SCOPE_LINK and ifindex != tunnel_ifindex)


def _changed_route(kind: int, body: bytes, tunnel_ifindex: int) -> bool:
    if kind not in (_RTM_NEWROUTE, _RTM_DELROUTE) or len(body) < _ROUTE.size:
        return False
    family, _, _, _, table, protocol, _, _, _ = _ROUTE.unpack_from(body)
    if table == _TABLE_LOCAL or (kind == _RTM_NEWROUTE and protocol == _BY_KERNEL):
        return False
    found = attributes(body[_ROUTE.size :])
    if _is_of(found.get(_RTA_OIF, b""), tunnel_ifindex):
        return False
    return family != socket.AF_INET6 or not _is_link_local(found.get(_RTA_DST, b""))


def _is_of(oif: bytes, ifindex: int) -> bool:
    return bool(ifindex) and int.from_bytes(oif, sys.byteorder) == ifindex


def _is_link_local(destination: bytes) -> bool:
    """fe80::/10 and ff00::/8."""
    return len(destination) == 16 and (destination[0] == 0xFF or (destination[0] == 0xFE and destination[1] >> 6 == 2))
