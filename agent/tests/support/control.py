# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A device, its sockets and its host for tests of control: in memory, and refusing on demand."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from support.configs import raw_key
from wirefleet_agent.config import InterfaceAddress, Route
from wirefleet_agent.control import Applier, uapi
from wirefleet_agent.core import Device, stamp_of
from wirefleet_agent.drivers.memory import MemoryRoutes
from wirefleet_agent.errors import DriverError


class Refusals:
    """Lets calls pass until the one with the given number (0: the first) is asked for."""

    def __init__(self) -> None:
        self.at: set[int] = set()
        self.count = 0

    def ask(self, call: str) -> None:
        number, self.count = self.count, self.count + 1
        if number in self.at:
            raise DriverError(f"{call} is refused", call=call, os_code=1)

    def start(self, *at: int) -> None:
        self.at, self.count = set(at), 0


class Sockets:
    """A tunnel's underlay side. Port 0 binds 40000."""

    def __init__(self, refusals: Refusals) -> None:
        self.listen_port = 0
        self.fwmark = 0
        self._refusals = refusals

    def set_listen_port(self, port: int) -> None:
        self._refusals.ask("bind")
        self.listen_port = port or 40000

    def set_fwmark(self, mark: int) -> None:
        self._refusals.ask("setsockopt")
        self.fwmark = mark


class Host(MemoryRoutes):
    """A host that may refuse, and that forgets IPv4 routes with the last IPv4 address, as Linux does."""

    def __init__(self, refusals: Refusals) -> None:
        super().__init__()
        self._refusals = refusals

    def add_address(self, address: InterfaceAddress) -> None:
        self._refusals.ask("addr add")
        super().add_address(address)

    def remove_address(self, address: InterfaceAddress) -> None:
        self._refusals.ask("addr del")
        super().remove_address(address)
        if address.version == 4 and not any(other.version == 4 for other in self.addresses()):
            for route in self.routes():
                if route.prefix.version == 4:
                    super().remove_route(route)

    def add_route(self, route: Route) -> None:
        self._refusals.ask("route add")
        super().add_route(route)

    def remove_route(self, route: Route) -> None:
        self._refusals.ask("route del")
        super().remove_route(route)

    def set_mtu(self, mtu_bytes: int) -> None:
        self._refusals.ask("mtu")
        super().set_mtu(mtu_bytes)

    def set_up(self, is_up: bool) -> None:
        self._refusals.ask("link")
        super().set_up(is_up)

    def set_forwarding(self, is_on: bool) -> None:
        self._refusals.ask("sysctl")
        super().set_forwarding(is_on)

    def set_default_route_rules(self, fwmark: int, table: int, is_on: bool) -> None:
        self._refusals.ask("rule")
        super().set_default_route_rules(fwmark, table, is_on)

    def set_dns(self, servers: Sequence[str], search: Sequence[str]) -> None:
        self._refusals.ask("dns")
        super().set_dns(servers, search)


class Bench:
    """One tunnel without packets, and all of its state as text."""

    def __init__(self) -> None:
        counter = itertools.count()
        self.refusals = Refusals()
        self.device = Device(
            entropy=lambda size: raw_key(f"entropy {next(counter)}")[:size].ljust(size, b"\1"),
            tai64n_now=lambda: stamp_of(1_700_000_000, 0),
        )
        self.sockets = Sockets(self.refusals)
        self.host = Host(self.refusals)
        self.levels: list[str] = []
        self.applier = Applier(self.device, self.sockets, self.host, set_log_level=self.levels.append)

    def set(self, *lines: str) -> None:
        """What wg(8) would send."""
        self.applier.apply(uapi.parse_set(lines, self.device), 1.0)

    def get(self) -> list[str]:
        return "".join(uapi.render_get(self.device, self.sockets)).splitlines()

    def snapshot(self) -> tuple[object, ...]:
        """Everything that a change could have touched; equal if and only if nothing has changed."""
        host = self.host
        peers = {key: id(peer) for key, peer in self.device.peers.items()}
        system = (host.addresses(), host.routes(), host.mtu_bytes, host.is_up, host.is_forwarding)
        return (*self.get(), peers, *system, frozenset(host.default_route_rules), host.dns)
