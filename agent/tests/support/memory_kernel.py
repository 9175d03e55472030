# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What a host's kernel does for heartbeats and transit, without one: sockets on overlay addresses, and forwarding."""

from __future__ import annotations

import ipaddress
from collections import deque
from collections.abc import Callable, Sequence

from support.packets import payload_of
from wirefleet_agent.drivers.interfaces import Buffer, Heartbeat
from wirefleet_agent.drivers.memory import MemoryTun, _Doorbell
from wirefleet_agent.errors import DriverError
from wirefleet_agent.wire.udp import udp_packet


class KernelTun(MemoryTun):
    """A TUN interface with a kernel behind it: transit goes back into the tunnel, the rest to sockets or to ``inbox``.

    inbox: (when, packet) of what came for one of this host's addresses and no socket. is_forwarding: as the sysctl.
    looped: transit whose hops were used up. behind: addresses on a LAN of this host, which end in ``inbox`` as well.
    """

    def __init__(self, name: str, addresses: Sequence[str], clock: Callable[[], float]) -> None:
        super().__init__(name)
        self.addresses = {ipaddress.ip_address(address).packed for address in addresses}
        self.behind: set[bytes] = set()
        self.is_forwarding = False
        self.inbox: list[tuple[float, bytes]] = []
        self.looped = 0
        self.sockets: dict[tuple[bytes, int], MemoryHeartbeats] = {}
        self._clock = clock

    def write_packets(self, packets: Sequence[Buffer | list[Buffer]]) -> int:
        taken = super().write_packets(packets)
        for packet in self.delivered[len(self.delivered) - taken :]:
            self._route(packet)
        self.delivered.clear()
        return taken

    def _route(self, packet: bytes) -> None:
        is_v4 = packet[0] >> 4 == 4
        source, destination = (packet[12:16], packet[16:20]) if is_v4 else (packet[8:24], packet[24:40])
        if destination in self.addresses:
            datagram = payload_of(packet)
            port = int.from_bytes(datagram[2:4], "big")
            socket = self.sockets.get((destination, port))
            if socket is None:
                self.inbox.append((self._clock(), packet))
            else:
                source_port = int.from_bytes(datagram[:2], "big")
                socket.arrive(Heartbeat(datagram[8:], source, source_port, destination))
        elif destination in self.behind:
            self.inbox.append((self._clock(), packet))
        elif self.is_forwarding:
            at = 8 if is_v4 else 7
            if packet[at] <= 1:
                self.looped += 1
                return
            self.inject(packet[:at] + bytes([packet[at] - 1]) + packet[at + 1 :])


class MemoryHeartbeats:
    """See HeartbeatDriver: sockets of a KernelTun."""

    def __init__(self, tun: KernelTun) -> None:
        self._tun = tun
        self._port = 0
        self._bells: dict[int, tuple[_Doorbell, bytes]] = {}
        self._waiting: dict[bytes, deque[Heartbeat]] = {}
        self.fail_next: DriverError | None = None

    def open(self, port: int, addresses: Sequence[bytes]) -> None:
        self.close()
        if self.fail_next is not None:
            error, self.fail_next = self.fail_next, None
            raise error
        self._port = port
        for address in addresses:
            bell = _Doorbell()
            self._bells[bell.fileno()] = (bell, address)
            self._waiting[address] = deque()
            self._tun.sockets[address, port] = self

    def filenos(self) -> tuple[int, ...]:
        return tuple(self._bells)

    def arrive(self, heartbeat: Heartbeat) -> None:
        self._waiting[heartbeat.local].append(heartbeat)
        self._ring()

    def receive(self, fileno: int) -> list[Heartbeat]:
        _, address = self._bells[fileno]
        found = list(self._waiting[address])
        self._waiting[address].clear()
        self._ring()
        return found

    def send(self, payload: bytes, destination: bytes, destination_port: int, local: bytes) -> bool:
        if (local, self._port) not in self._tun.sockets or destination_port != self._port:
            return False
        self._tun.inject(udp_packet(local, destination, self._port, payload))
        return True

    def close(self) -> None:
        for bell, address in self._bells.values():
            self._tun.sockets.pop((address, self._port), None)
            bell.close()
        self._bells.clear()
        self._waiting.clear()

    def _ring(self) -> None:
        for bell, address in self._bells.values():
            bell.set(bool(self._waiting[address]))
