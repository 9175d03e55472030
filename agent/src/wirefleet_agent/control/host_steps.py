# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Changes that the operating system can refuse, each with the call that takes it back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from ..config import DEFAULT_MTU_BYTES, InterfaceAddress, Route
from ..config import changes as c
from ..errors import DriverError, InternalError

Undo = Callable[[], None]


class SocketSettings(Protocol):
    """The underlay side of a running tunnel. set_listen_port raises DriverError and keeps what was open before."""

    @property
    def listen_port(self) -> int: ...

    def set_listen_port(self, port: int) -> None: ...

    @property
    def fwmark(self) -> int: ...

    def set_fwmark(self, mark: int) -> None: ...


class HostSettings(Protocol):
    """Addresses, routes and link of the tunnel's interface; every call is idempotent and may raise DriverError."""

    def addresses(self) -> set[InterfaceAddress]: ...

    def add_address(self, address: InterfaceAddress) -> None: ...

    def remove_address(self, address: InterfaceAddress) -> None: ...

    def routes(self) -> set[Route]: ...

    def add_route(self, route: Route) -> None: ...

    def remove_route(self, route: Route) -> None: ...

    def set_mtu(self, mtu_bytes: int) -> None: ...

    def set_up(self, is_up: bool) -> None: ...

    def set_forwarding(self, is_on: bool) -> None: ...

    def set_default_route_rules(self, fwmark: int, table: int, is_on: bool) -> None: ...

    def set_dns(self, servers: Sequence[str], search: Sequence[str]) -> None: ...


class Journal:
    """The steps of one transaction, so that all of them can be taken back in reverse order.

    It knows what was set before by these transactions only: what the host had at the start (an MTU, a resolver,
    forwarding) is not read back, and forwarding that was never set by us is left as it is.
    """

    def __init__(self, sockets: SocketSettings, host: HostSettings | None, last: dict[type, c.Change]) -> None:
        self._sockets = sockets
        self._host = host
        self._last = last
        self._undo: list[Undo] = []
        self._addresses: set[InterfaceAddress] | None = None
        self._routes: set[Route] | None = None

    def take(self, change: c.SocketChange | c.HostChange) -> bool:
        """Make one change; False if it was so already. Raises DriverError."""
        if isinstance(change, c.SetListenPort | c.SetFwmark):
            undo = self._socket(change)
        elif isinstance(change, c.AddAddress | c.RemoveAddress):
            undo = self._address(change)
        elif isinstance(change, c.AddRoute | c.RemoveRoute):
            undo = self._route(change)
        else:
            undo = self._setting(change)
        if undo is not None:
            self._undo.append(undo)
        return undo is not None

    def take_back(self, cause: DriverError) -> None:
        """Undo every step, last first; a step that cannot be undone is noted at ``cause``."""
        while self._undo:
            undo = self._undo.pop()
            try:
                undo()
            except DriverError as error:
                cause.add_note(f"could not be taken back: {error}")

    def _socket(self, change: c.SocketChange) -> Undo | None:
        sockets = self._sockets
        if isinstance(change, c.SetListenPort):
            port = sockets.listen_port
            if change.port == port:
                return None
            sockets.set_listen_port(change.port)
            return lambda: sockets.set_listen_port(port)
        mark = sockets.fwmark
        if change.mark == mark:
            return None
        sockets.set_fwmark(change.mark)
        return lambda: sockets.set_fwmark(mark)

    def _address(self, change: c.AddAddress | c.RemoveAddress) -> Undo | None:
        host, address = self._need_host(), change.address
        if self._addresses is None:
            self._addresses = host.addresses()
        is_there = address in self._addresses
        if isinstance(change, c.AddAddress):
            if is_there:
                return None
            host.add_address(address)
            self._addresses.add(address)
            return lambda: host.remove_address(address)
        if not is_there:
            return None
        addresses, routes = set(self._addresses), host.routes()
        host.remove_address(address)
        self._addresses = self._routes = None  # the system may have taken more with it
        return lambda: _put_back(host, address, addresses, routes)

    def _route(self, change: c.AddRoute | c.RemoveRoute) -> Undo | None:
        host, route = self._need_host(), change.route
        if isinstance(change, c.RemoveRoute):
            host.remove_route(route)
            if self._routes is not None:
                self._routes.discard(route)
            return lambda: host.add_route(route)
        if self._routes is None:
            self._routes = host.routes()
        if route in self._routes:
            return None
        host.add_route(route)
        self._routes.add(route)
        return lambda: host.remove_route(route)

    def _setting(self, change: c.HostChange) -> Undo | None:
        before = self._last.get(type(change))
        if before == change:
            return None
        self._set(change)
        self._last[type(change)] = change
        return lambda: self._restore(change, before)

    def _restore(self, change: c.HostChange, before: c.Change | None) -> None:
        self._last.pop(type(change), None)
        if isinstance(change, c.SetDefaultRouteRules):
            self._set(c.SetDefaultRouteRules(change.fwmark, change.table, not change.is_on))
        elif isinstance(change, c.SetUp):
            self._set(c.SetUp(not change.is_up))
        elif isinstance(before, c.SetMtu | c.SetDns | c.SetForwarding):
            self._set(before)
        elif isinstance(change, c.SetMtu):
            self._set(c.SetMtu(DEFAULT_MTU_BYTES))
        elif isinstance(change, c.SetDns):
            self._set(c.SetDns((), ()))
        if before is not None:
            self._last[type(change)] = before

    def _set(self, change: c.HostChange) -> None:
        host = self._need_host()
        match change:
            case c.SetMtu(mtu_bytes=mtu_bytes):
                host.set_mtu(mtu_bytes)
            case c.SetUp(is_up=is_up):
                host.set_up(is_up)
            case c.SetForwarding(is_on=is_on):
                host.set_forwarding(is_on)
            case c.SetDns(servers=servers, search=search):
                host.set_dns(servers, search)
            case c.SetDefaultRouteRules(fwmark=fwmark, table=table, is_on=is_on):
                host.set_default_route_rules(fwmark, table, is_on)

    def _need_host(self) -> HostSettings:
        if self._host is None:
            raise InternalError("a host change passed the check without a host to make it on")
        return self._host


def _put_back(
    host: HostSettings, address: InterfaceAddress, addresses: set[InterfaceAddress], routes: set[Route]
) -> None:
    """An address, and what the system removed together with it."""
    host.add_address(address)
    for lost_address in addresses - host.addresses():
        host.add_address(lost_address)
    for lost_route in routes - host.routes():
        host.add_route(lost_route)
