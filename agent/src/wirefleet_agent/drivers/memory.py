# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Drivers without an operating system, for tests: each passes the contract test of its kind.

``MemoryUnderlay`` is the network between ``MemoryUdp`` sockets; give it a ``filter`` to lose datagrams.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections import deque
from collections.abc import Callable, Sequence

from ..errors import DriverError
from ..wire.batch import Batch
from ..wire.endpoint import Endpoint, LocalAddress
from .interfaces import Buffer, InterfaceAddress, LinkEvent, Route

DatagramFilter = Callable[[Endpoint, Endpoint, bytes], bool]

_EPHEMERAL_PORT = 49152
_LINK_INDEX = 1


class _Doorbell:
    """A descriptor that is readable while something waits."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._is_ringing = False

    def fileno(self) -> int:
        return self._reader.fileno()

    def set(self, is_waiting: bool) -> None:
        if is_waiting and not self._is_ringing:
            self._writer.send(b"\0")
        elif not is_waiting and self._is_ringing:
            self._reader.recv(1)
        self._is_ringing = is_waiting

    def close(self) -> None:
        self._reader.close()
        self._writer.close()


class MemoryTun:
    """A TUN interface whose host side is two methods: ``inject`` and the list ``delivered``."""

    def __init__(self, name: str = "mem0", *, mtu_bytes: int = 1420) -> None:
        self.name = name
        self.delivered: list[bytes] = []
        self._mtu_bytes = mtu_bytes
        self._is_up = False
        self._is_removed = False
        self._waiting: deque[bytes] = deque()
        self._events: deque[LinkEvent] = deque()
        self._packets_bell = _Doorbell()
        self._events_bell = _Doorbell()

    @property
    def mtu_bytes(self) -> int:
        return self._mtu_bytes

    @property
    def has_offloads(self) -> bool:
        return False

    @property
    def offloads(self) -> tuple[str, ...]:
        return ()

    def fileno(self) -> int:
        return self._packets_bell.fileno()

    def events_fileno(self) -> int:
        return self._events_bell.fileno()

    def inject(self, *packets: bytes) -> None:
        """The host routes packets into the interface; lost while it is down."""
        if self._is_up:
            self._waiting.extend(packets)
            self._packets_bell.set(bool(self._waiting))

    def set_link(self, *, is_up: bool | None = None, mtu_bytes: int | None = None, is_removed: bool = False) -> None:
        """The operator changes the interface."""
        if is_up is not None and is_up != self._is_up:
            self._is_up = is_up
            self._events.append(LinkEvent.UP if is_up else LinkEvent.DOWN)
        if mtu_bytes is not None and mtu_bytes != self._mtu_bytes:
            self._mtu_bytes = mtu_bytes
            self._events.append(LinkEvent.MTU_CHANGED)
        if is_removed and not self._is_removed:
            self._is_removed = True
            self._events.append(LinkEvent.REMOVED)
        self._events_bell.set(bool(self._events))

    def read_batch(self, batch: Batch) -> int:
        batch.clear()
        if self._is_removed:
            raise DriverError("the interface is gone", call="read", os_code=errno.EBADF, path=self.name)
        while self._waiting and batch.count < batch.capacity:
            packet = self._waiting.popleft()
            batch.append(packet[: batch.stride - batch.headroom])
        self._packets_bell.set(bool(self._waiting))
        return batch.count

    def write_packets(self, packets: Sequence[Buffer | list[Buffer]]) -> int:
        if not self._is_up or self._is_removed:
            return 0
        whole = [bytes(packet) for packet in packets if not isinstance(packet, list)]
        taken = [packet for packet in whole if packet and packet[0] >> 4 in (4, 6)]
        self.delivered.extend(taken)
        return len(taken)

    def link_events(self) -> list[LinkEvent]:
        events = list(self._events)
        self._events.clear()
        self._events_bell.set(False)
        return events

    def close(self) -> None:
        self._packets_bell.close()
        self._events_bell.close()


class MemoryUnderlay:
    """A network that carries datagrams between the sockets of this process, at once and in order."""

    def __init__(self) -> None:
        self.filter: DatagramFilter | None = None
        self._sockets: dict[tuple[str, int], MemoryUdp] = {}
        self._next_port = _EPHEMERAL_PORT

    def bind(self, host: str, port: int, udp: MemoryUdp) -> None:
        if (host, port) in self._sockets:
            raise DriverError("Address already in use", call="bind", os_code=errno.EADDRINUSE, path=f"UDP port {port}")
        self._sockets[host, port] = udp

    def unbind(self, host: str, port: int) -> None:
        self._sockets.pop((host, port), None)

    def free_port(self) -> int:
        self._next_port += 1
        return self._next_port - 1

    def carry(self, source: Endpoint, destination: Endpoint, datagram: bytes) -> None:
        """Deliver, unless nobody listens or the filter says no: the sender cannot tell."""
        receiver = self._sockets.get((destination.host, destination.port))
        if receiver is not None and (self.filter is None or self.filter(source, destination, datagram)):
            receiver.arrive(source, destination.host, datagram)


class MemoryUdp:
    """See UdpDriver. hosts: this host's underlay addresses, at most one per family."""

    def __init__(self, underlay: MemoryUnderlay, *hosts: str) -> None:
        self._underlay = underlay
        self.hosts = hosts
        self.fwmark = 0
        self.offloads = ()
        self.receive_errors = 0
        self._port = 0
        self._bells = {":" in host: _Doorbell() for host in hosts}
        self._queues: dict[int, deque[tuple[Endpoint, LocalAddress, bytes]]] = {
            bell.fileno(): deque() for bell in self._bells.values()
        }

    @property
    def port(self) -> int:
        return self._port

    def open(self, port: int) -> None:
        if port and port == self._port:
            return
        wanted = port or self._underlay.free_port()
        bound: list[str] = []
        try:
            for host in self.hosts:
                self._underlay.bind(host, wanted, self)
                bound.append(host)
        except DriverError:
            for host in bound:
                self._underlay.unbind(host, wanted)
            raise
        self.close()
        self._port = wanted

    def filenos(self) -> tuple[int, ...]:
        return tuple(self._queues) if self._port else ()

    def arrive(self, source: Endpoint, host: str, datagram: bytes) -> None:
        bell = self._bells[":" in host]
        self._queues[bell.fileno()].append((source, LocalAddress(host, _LINK_INDEX), datagram))
        bell.set(True)

    def receive_batch(self, fileno: int, batch: Batch) -> int:
        batch.clear()
        queue = self._queues.get(fileno)
        if queue is None:
            return 0
        while queue and batch.count < batch.capacity:
            source, local, datagram = queue.popleft()
            with contextlib.suppress(ValueError):  # too long for its slot: lost, as on a real socket
                batch.append(datagram, source, local)
        next(bell for bell in self._bells.values() if bell.fileno() == fileno).set(bool(queue))
        return batch.count

    def send_batch(self, batch: Batch) -> int:
        sent = 0
        for i in range(batch.count):
            endpoint = batch.endpoints[i]
            source = self._source_for(endpoint, batch.locals[i]) if endpoint and self._port else None
            if endpoint is None or source is None:
                continue
            self._underlay.carry(source, endpoint, bytes(batch.slot(i)))
            sent += 1
        return sent

    def set_fwmark(self, mark: int) -> None:
        self.fwmark = mark

    def forget_sources(self) -> None:
        """Nothing is remembered here."""

    def close(self) -> None:
        for host in self.hosts:
            if self._port:
                self._underlay.unbind(host, self._port)
        for queue in self._queues.values():
            queue.clear()
        for bell in self._bells.values():
            bell.set(False)
        self._port = 0

    def _source_for(self, endpoint: Endpoint, local: LocalAddress | None) -> Endpoint | None:
        if local is not None and local.host in self.hosts and (":" in local.host) == endpoint.is_ipv6:
            return Endpoint(local.host, self._port)
        host = next((host for host in self.hosts if (":" in host) == endpoint.is_ipv6), None)
        return None if host is None else Endpoint(host, self._port)


class MemoryRoutes:
    """See RoutesDriver: keeps what it is told, for tests to read."""

    def __init__(self) -> None:
        self.mtu_bytes = 0
        self.is_up = False
        self.is_forwarding = False
        self.default_route_rules: set[tuple[int, int]] = set()
        self.dns: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        self._addresses: set[InterfaceAddress] = set()
        self._routes: set[Route] = set()

    def addresses(self) -> set[InterfaceAddress]:
        return set(self._addresses)

    def add_address(self, address: InterfaceAddress) -> None:
        self._addresses.add(address)

    def remove_address(self, address: InterfaceAddress) -> None:
        self._addresses.discard(address)

    def routes(self) -> set[Route]:
        return set(self._routes)

    def add_route(self, route: Route) -> None:
        self._routes.add(route)

    def remove_route(self, route: Route) -> None:
        self._routes.discard(route)

    def set_mtu(self, mtu_bytes: int) -> None:
        self.mtu_bytes = mtu_bytes

    def set_up(self, is_up: bool) -> None:
        self.is_up = is_up

    def set_forwarding(self, is_on: bool) -> None:
        self.is_forwarding = is_on

    def forwards(self) -> bool:
        return self.is_forwarding

    def set_default_route_rules(self, fwmark: int, table: int, is_on: bool) -> None:
        if is_on:
            self.default_route_rules.add((fwmark, table))
        else:
            self.default_route_rules.discard((fwmark, table))

    def set_dns(self, servers: Sequence[str], search: Sequence[str]) -> None:
        self.dns = (tuple(servers), tuple(search))

    def close(self) -> None:
        """Nothing to release."""
