# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""UDP sockets of Linux: both families on one port, sticky source addresses, fwmark, segmentation both ways.

Datagrams of one size to one peer leave in one call and the kernel, or the card, cuts them (UDP_SEGMENT); what it
received back to back comes in one piece (UDP_GRO). Where the kernel refuses the one or the other, datagrams go singly.
Source: ip(7), ipv6(7), udp(7), socket(7). The sticky source names only the address: naming the interface too
would overrule the routing table and, where that has no way, send to nobody. Link-local IPv6 needs it, and gets it.
"""

from __future__ import annotations

import errno
import ipaddress
import select
import socket
import struct
import sys
from typing import NamedTuple

import structlog

assert sys.platform != "win32"  # nothing below means anything there

from ..wire.batch import Batch
from ..wire.endpoint import Endpoint, LocalAddress
from .datagram_runs import run_length
from .udp_sockets_linux import open_pair, set_mark

_IP_PKTINFO = 8
_IPV6_PKTINFO = socket.IPV6_PKTINFO
_PKTINFO_V4 = struct.Struct("=i4s4s")  # interface, our address, destination in the header
_PKTINFO_V6 = struct.Struct("=16si")
# Plain numbers: the socket module's are enumerations, whose operators are Python code.
_SOL_UDP = int(socket.IPPROTO_UDP)
_MSG_TRUNC = int(socket.MSG_TRUNC)
_UDP_SEGMENT = 103
_UDP_GRO = 104
_SEGMENT_SIZE = struct.Struct("=H")
_GRO_SIZE = struct.Struct("=i")
_ANCILLARY_BYTES = socket.CMSG_SPACE(_PKTINFO_V6.size) + socket.CMSG_SPACE(_GRO_SIZE.size)
_MAX_RUN_BYTES = 65507  # what an IPv4 datagram holds
_ENOUGH_BYTES = 65536  # of one turn's reading; more would only leave the processor's cache
_STALE_SOURCE = frozenset(
    {errno.EINVAL, errno.EADDRNOTAVAIL, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENODEV, errno.ENXIO}
)
_SEGMENTATION_FAILED = frozenset({errno.EINVAL, errno.EMSGSIZE, errno.EIO, errno.EOPNOTSUPP})
_CACHE_ENTRIES = 4096
_FULL_BUFFER_WAIT_MS = 10

_log = structlog.get_logger(room="drivers")

_Ancillary = tuple[tuple[int, int, bytes], ...]
_Address = tuple[str, int] | tuple[str, int, int, int]
_Key = tuple[Endpoint, LocalAddress | None]


class _Way(NamedTuple):
    """How to reach one endpoint from one local address. can_segment: not if its MTU is too small for our datagrams."""

    socket: socket.socket
    address: _Address
    ancillary: _Ancillary
    can_segment: bool = True


class LinuxUdp:
    """See UdpDriver. The slots of batches to receive into need 65536 bytes, as GRO joins datagrams up to that.

    use_offloads: False sends and receives every datagram singly.
    """

    def __init__(self, *, use_offloads: bool = True) -> None:
        self._use_offloads = use_offloads
        self._can_segment = False
        self._has_gro = False
        self._segment_sizes: dict[int, _Ancillary] = {}
        self._sockets: tuple[socket.socket, ...] = ()
        self._by_fileno: dict[int, socket.socket] = {}
        self._port = 0
        self._fwmark = 0
        self._ways: dict[_Key, _Way] = {}
        self._sources: dict[_Address, Endpoint] = {}
        self._locals: dict[bytes, LocalAddress] = {}
        self._may_wait = True
        self.receive_errors = 0

    @property
    def port(self) -> int:
        return self._port

    @property
    def offloads(self) -> tuple[str, ...]:
        return ("segmentation",) * self._can_segment + ("gro",) * self._has_gro

    def filenos(self) -> tuple[int, ...]:
        return tuple(self._by_fileno)

    def open(self, port: int) -> None:
        if self._sockets and port == self._port:
            return
        sockets = open_pair(port, self._fwmark)
        self.close()
        self._sockets = sockets
        self._by_fileno = {sock.fileno(): sock for sock in sockets}
        self._port = sockets[0].getsockname()[1]
        if self._use_offloads:
            self._can_segment = all(_takes_option(sock, _UDP_SEGMENT, 0) for sock in sockets)
            self._has_gro = all(_takes_option(sock, _UDP_GRO, 1) for sock in sockets)

    def set_fwmark(self, mark: int) -> None:
        for sock in self._sockets:
            set_mark(sock, mark)
        self._fwmark = mark

    def forget_sources(self) -> None:
        """Routes or addresses changed: local addresses that failed earlier may serve again."""
        self._ways.clear()

    def receive_batch(self, fileno: int, batch: Batch) -> int:
        """See UdpDriver. An error report or a datagram too long for its slot is skipped (checklist 37)."""
        sock = self._by_fileno.get(fileno)
        batch.count = 0
        if sock is None:
            return 0
        rooms, lengths, endpoints, locals_ = batch.rooms, batch.lengths, batch.endpoints, batch.locals
        sizes = batch.segment_sizes
        receive, sources, known_locals = sock.recvmsg_into, self._sources, self._locals
        count = total = 0
        batch.has_more = False
        for _ in range(batch.limit):
            try:
                length, ancillary, flags, address = receive((rooms[count],), _ANCILLARY_BYTES)
            except BlockingIOError:
                break
            except OSError:
                self.receive_errors += 1
                continue
            if flags & _MSG_TRUNC:
                self.receive_errors += 1
                continue
            lengths[count] = length
            endpoints[count] = sources.get(address) or self._source(address)
            sizes[count] = 0
            locals_[count] = None
            for level, _kind, data in ancillary:
                if level == _SOL_UDP:
                    (sizes[count],) = _GRO_SIZE.unpack(data)
                else:
                    locals_[count] = known_locals.get(data) or self._local(data)
            count += 1
            total += length
            if total >= _ENOUGH_BYTES:
                batch.has_more = True
                break
        batch.count = count
        return count

    def send_batch(self, batch: Batch) -> int:
        sent = i = 0
        self._may_wait = True
        endpoints, locals_, ways = batch.endpoints, batch.locals, self._ways
        if batch.count == 1 and endpoints[0] is not None:  # the one that somebody may be waiting for
            key = (endpoints[0], locals_[0])
            way = ways.get(key) or self._way(*key)
            return 0 if way is None else self._send(batch.rooms[0][: batch.lengths[0]], way, key)
        can_segment = self._can_segment
        while i < batch.count:
            endpoint = endpoints[i]
            if endpoint is None:
                i += 1
                continue
            key = (endpoint, locals_[i])
            way = ways.get(key) or self._way(endpoint, locals_[i])
            run = run_length(batch, i, _MAX_RUN_BYTES) if can_segment else 1
            if way is None:
                pass
            elif run == 1:
                sent += self._send(batch.slot(i), way, key)
            elif way.can_segment:
                sent += self._send_run(batch, range(i, i + run), way, key)
            else:
                sent += sum(self._send(batch.slot(k), ways[key], key) for k in range(i, i + run))
            i += run
        return sent

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()
        self._sockets = ()
        self._by_fileno = {}
        self._port = 0
        self._ways.clear()

    def _send(self, datagram: memoryview, way: _Way, key: _Key) -> bool:
        try:
            if way.ancillary:
                way.socket.sendmsg((datagram,), way.ancillary, 0, way.address)
            else:
                way.socket.sendto(datagram, way.address)
        except OSError as error:
            return self._retry(error, datagram, way, key)
        return True

    def _send_run(self, batch: Batch, slots: range, way: _Way, key: _Key) -> int:
        """All in one call; where that fails, singly. Returns how many left."""
        size = batch.lengths[slots.start]
        views = list(batch.views(batch.headroom, size)[slots.start : slots.stop])
        if batch.lengths[slots[-1]] != size:
            views[-1] = batch.slot(slots[-1])
        for _ in range(2):
            try:
                way.socket.sendmsg(views, way.ancillary + self._segment_size(size), 0, way.address)
            except BlockingIOError as error:
                failure: OSError = error
                self._may_wait = self._may_wait and _wait_writable(way.socket)
                if not self._may_wait:
                    return 0
            except OSError as error:
                failure = error
                break
            else:
                return len(slots)
        sent = sum(self._send(batch.slot(i), self._ways[key], key) for i in slots)
        if sent == len(slots) and self._ways[key] is way and failure.errno in _SEGMENTATION_FAILED:
            self._blame_segmentation(failure, key)
        return sent

    def _blame_segmentation(self, error: OSError, key: _Key) -> None:
        """The same datagrams left singly on the same way, so it was the cutting that failed: for all if the card
        computes no checksums (EIO), else on this way, whose MTU is smaller than our datagrams."""
        if error.errno == errno.EIO:
            self._can_segment = False
        else:
            self._ways[key] = self._ways[key]._replace(can_segment=False)
        _log.info("udp_segmentation_failed", error=str(error), endpoint=str(key[0]), is_off=not self._can_segment)

    def _segment_size(self, size: int) -> _Ancillary:
        known = self._segment_sizes.get(size)
        if known is None:
            known = self._segment_sizes[size] = ((_SOL_UDP, _UDP_SEGMENT, _SEGMENT_SIZE.pack(size)),)
        return known

    def _retry(self, error: OSError, datagram: memoryview, way: _Way, key: _Key) -> bool:
        """Once more: after a moment when the socket's buffer is full, without the local address when that is stale.

        Waiting is the back-pressure that a lost datagram would not be: the TUN's queue fills and TCP slows down.
        A batch waits in vain at most once, so that a stuck network does not hold the loop.
        """
        if isinstance(error, BlockingIOError):
            self._may_wait = self._may_wait and _wait_writable(way.socket)
            if not self._may_wait:
                return False
        elif way.ancillary and error.errno in _STALE_SOURCE:
            way = way._replace(ancillary=())
            self._ways[key] = way
        else:
            return False
        try:
            way.socket.sendmsg((datagram,), way.ancillary, 0, way.address)
        except OSError:
            return False
        return True

    def _way(self, endpoint: Endpoint, local: LocalAddress | None) -> _Way | None:
        family = socket.AF_INET6 if endpoint.is_ipv6 else socket.AF_INET
        sock = next((sock for sock in self._sockets if sock.family == family), None)
        if sock is None:
            return None
        address: _Address = (endpoint.host, endpoint.port)
        if endpoint.is_ipv6:
            address = (endpoint.host, endpoint.port, 0, endpoint.scope_id)
        if len(self._ways) >= _CACHE_ENTRIES:
            self._ways.clear()
        way = self._ways[endpoint, local] = _Way(sock, address, _pktinfo(endpoint, local) if local else ())
        return way

    def _source(self, address: _Address) -> Endpoint:
        if len(self._sources) >= _CACHE_ENTRIES:
            self._sources.clear()
        scope_id = address[3] if len(address) == 4 else 0
        endpoint = Endpoint(str(ipaddress.ip_address(address[0].partition("%")[0])), address[1], scope_id)
        self._sources[address] = endpoint
        return endpoint

    def _local(self, data: bytes) -> LocalAddress:
        if len(self._locals) >= _CACHE_ENTRIES:
            self._locals.clear()
        if len(data) == _PKTINFO_V4.size:
            ifindex, packed, _ = _PKTINFO_V4.unpack(data)
        else:
            packed, ifindex = _PKTINFO_V6.unpack(data)
        local = LocalAddress(str(ipaddress.ip_address(packed)), ifindex)
        self._locals[data] = local
        return local


def _takes_option(sock: socket.socket, option: int, value: int) -> bool:
    try:
        sock.setsockopt(_SOL_UDP, option, value)
    except OSError:
        return False
    return True


def _wait_writable(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLOUT)
    return bool(poll.poll(_FULL_BUFFER_WAIT_MS))


def _pktinfo(endpoint: Endpoint, local: LocalAddress) -> _Ancillary:
    """The control message that names the source; nothing when the families differ."""
    source, destination = ipaddress.ip_address(local.host), ipaddress.ip_address(endpoint.host)
    if source.version != destination.version:
        return ()
    if source.version == 4:
        return ((socket.IPPROTO_IP, _IP_PKTINFO, _PKTINFO_V4.pack(0, source.packed, bytes(4))),)
    ifindex = local.ifindex if destination.is_link_local else 0
    return ((socket.IPPROTO_IPV6, _IPV6_PKTINFO, _PKTINFO_V6.pack(source.packed, ifindex)),)
