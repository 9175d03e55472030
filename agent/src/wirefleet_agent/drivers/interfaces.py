# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What the engine needs from a platform. Each driver passes the one contract test of its kind.

All calls are non-blocking. Failures raise DriverError; a packet that cannot be sent is counted, not raised.
The unit is a batch (``wire.batch.Batch``): one flat buffer, a stride, a count.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from ..config.model import InterfaceAddress as InterfaceAddress
from ..config.model import Prefix as Prefix
from ..config.model import Route as Route
from ..wire.batch import Batch

Buffer = bytes | bytearray | memoryview


class LinkEvent(Enum):
    """What happened to the tunnel's interface since the last look."""

    UP = "up"
    DOWN = "down"
    MTU_CHANGED = "mtu_changed"
    REMOVED = "removed"


class TunDriver(Protocol):
    """A layer 3 interface: whole IP packets, no header before them."""

    name: str

    @property
    def mtu_bytes(self) -> int: ...

    @property
    def has_offloads(self) -> bool:
        """Whether packets may be super-packets, and a virtio_net_hdr of 10 bytes tells what is left to do.

        It lies right before each packet that is read, in the headroom; a packet to write may be a list of buffers that
        begins with it.
        """

    @property
    def offloads(self) -> tuple[str, ...]:
        """The names of those in use, for the log and for ``status``."""

    def fileno(self) -> int:
        """Readable when packets wait."""

    def read_batch(self, batch: Batch) -> int:
        """Fill ``batch`` from its start with waiting packets; returns their number, 0 if none waits.

        ``batch.has_more``: it stopped before the batch was full. Raises DriverError(call="read") when the interface is
        gone.
        """

    def write_packets(self, packets: Sequence[Buffer | list[Buffer]]) -> int:
        """Hand packets to the host, in order; returns how many it took. The views are borrowed until return."""

    def events_fileno(self) -> int:
        """Readable when ``link_events`` has something; -1 if the platform reports in another way."""

    def link_events(self) -> list[LinkEvent]: ...

    def close(self) -> None:
        """Idempotent. The interface disappears unless somebody else keeps it."""


class UdpDriver(Protocol):
    """IPv4 and IPv6 on one port (checklist 34)."""

    @property
    def port(self) -> int:
        """The bound port; 0 while closed."""

    @property
    def offloads(self) -> tuple[str, ...]:
        """The names of those in use, for the log and for ``status``."""

    @property
    def receive_errors(self) -> int:
        """Errors that the sockets reported on receiving, since the driver was made."""

    def open(self, port: int) -> None:
        """Bind both families; port 0 takes a free one. One missing family is tolerated. Replaces what was open.

        Raises DriverError(call="bind", os_code=EADDRINUSE, ...) and then keeps what was open before.
        """

    def filenos(self) -> tuple[int, ...]: ...

    def receive_batch(self, fileno: int, batch: Batch) -> int:
        """Fill ``batch`` with waiting datagrams, their sources and the local addresses they came to.

        ``batch.has_more``: it stopped before the batch was full.
        """

    def send_batch(self, batch: Batch) -> int:
        """Send each datagram to its endpoint from its local address; returns how many left.

        An endpoint of None: that slot is not for sending.
        A transient failure drops that datagram only (checklist 37); a stale local address is retried without it.
        """

    def set_fwmark(self, mark: int) -> None:
        """SO_MARK on Linux; accepted and ignored elsewhere (checklist 36)."""

    def forget_sources(self) -> None:
        """Routes or addresses of the underlay changed: local addresses that failed earlier may serve again."""

    def close(self) -> None: ...


class Heartbeat(NamedTuple):
    """A datagram that came over the overlay. source, local: packed addresses, 4 or 16 bytes."""

    payload: bytes
    source: bytes
    source_port: int
    local: bytes


class HeartbeatDriver(Protocol):
    """UDP on the host's overlay addresses, by the host's own stack, over the tunnel's interface and no other."""

    def open(self, port: int, addresses: Sequence[bytes]) -> None:
        """One socket per packed address. Replaces what was open. Raises DriverError, and nothing is open then."""

    def filenos(self) -> tuple[int, ...]: ...

    def receive(self, fileno: int) -> list[Heartbeat]:
        """What waits, a bounded number; empty if nothing does."""

    def send(self, payload: bytes, destination: bytes, destination_port: int, local: bytes) -> bool:
        """From the socket of ``local``. False: it did not leave."""

    def close(self) -> None:
        """Idempotent."""


class UnderlayMonitor(Protocol):
    """Tells that routes or addresses of the underlay changed, so that sticky sources may be stale (checklist 35)."""

    def fileno(self) -> int: ...

    def has_changed(self) -> bool:
        """Whether something changed since the last call."""

    def close(self) -> None: ...


class RoutesDriver(Protocol):
    """Addresses, routes and link state of one interface. Every call is idempotent."""

    def addresses(self) -> set[InterfaceAddress]: ...

    def add_address(self, address: InterfaceAddress) -> None: ...

    def remove_address(self, address: InterfaceAddress) -> None: ...

    def routes(self) -> set[Route]:
        """The routes through this interface that were added by an operator or by us (not the kernel's own)."""

    def add_route(self, route: Route) -> None: ...

    def remove_route(self, route: Route) -> None: ...

    def set_mtu(self, mtu_bytes: int) -> None: ...

    def set_up(self, is_up: bool) -> None: ...

    def set_forwarding(self, is_on: bool) -> None:
        """Let the host forward between its interfaces (hubs, and spokes with site prefixes), v4 and v6."""

    def forwards(self) -> bool:
        """Whether the host forwards now, in every family that it has, whoever switched it on."""

    def set_default_route_rules(self, fwmark: int, table: int, is_on: bool) -> None:
        """Policy rules of a tunnel that carries a default route (v4 and v6), as wg-quick(8) makes them."""

    def set_dns(self, servers: Sequence[str], search: Sequence[str]) -> None:
        """Resolver of this interface; empty sequences take it back."""

    def close(self) -> None: ...
