# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Addresses, routes, MTU, DNS and forwarding of one interface of Windows, by the IP Helper.

Everything is idempotent: what is already so is left alone, what is already gone is not missed. The interface is known
by its LUID. Routes have metric 0 on an interface of metric 0, so that they win over those of other interfaces.

What Windows has no words for is refused: routing tables, and with them a default route beside the tunnel's own way out.
"""

from __future__ import annotations

import contextlib
import ipaddress
import time
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import structlog

from ..config import DEFAULT_MTU_BYTES
from ..errors import DriverError
from .forwarding_windows import WindowsForwarding
from .interfaces import InterfaceAddress, Route
from .iphelper import InterfaceSettings, IpHelperApi
from .mtu_windows import MIN_MTU_BYTES, tunnel_mtu, underlay_mtu
from .restore_file import RestoreFile
from .win32_errors import (
    ERROR_FILE_NOT_FOUND,
    ERROR_NOT_FOUND,
    ERROR_NOT_SUPPORTED,
    ERROR_OBJECT_ALREADY_EXISTS,
    Win32Error,
)

T = TypeVar("T")

_VERSIONS = (4, 6)
_GONE = frozenset({ERROR_NOT_FOUND, ERROR_FILE_NOT_FOUND})
_NO_FAMILY = _GONE | {ERROR_NOT_SUPPORTED}
_METRIC = 0
_READY_POLL_S = 0.1
_READY_POLLS = 50  # five seconds, once in an adapter's life
_TABLE_HINT = "set Table = auto or off; for a default route name the prefixes that the tunnel is to carry instead"
_FAMILY_HINT = "this family is switched off on the interface or on the host"

_log = structlog.get_logger(room="drivers")


class TunnelLink(Protocol):
    """The TUN driver's half of the interface: it is told what the host set."""

    def set_link(self, *, is_up: bool | None = None, mtu_bytes: int | None = None) -> None: ...


class WindowsRoutes:
    """See RoutesDriver. link: who wants to know about up, down and the MTU.

    forwarding_memory: where forwarding that we switched on is noted; what a killed process noted there is put back by
    the next ``set_forwarding(False)`` or ``close``. wait: sleeps for so many seconds.

    Windows binds IPv4 and IPv6 to a new adapter one after the other, some moments after it was made. Whoever needs a
    family waits for it; one that comes when nobody waits is prepared as soon as Windows tells.
    """

    def __init__(
        self,
        luid: int,
        name: str,
        api: IpHelperApi,
        *,
        link: TunnelLink | None = None,
        forwarding_memory: RestoreFile | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self._luid = luid
        self._api = api
        self._link = link
        self._forwarding = WindowsForwarding(api, forwarding_memory)
        self._wait = wait
        self._polls_left = _READY_POLLS
        self._prepared: set[int] = set()
        self._mtus: dict[int, int] = {}
        self._told_mtu_bytes: int | None = None
        self._wanted_mtu_bytes: int | None = None
        self._is_forwarding = False
        self._has_dns = False
        self._is_closed = False

    def addresses(self) -> set[InterfaceAddress]:
        """Without link-local addresses, which are the system's own."""
        known = self._ask(self._api.addresses)
        return {address for luid, address in known if luid == self._luid and not address.ip.is_link_local}

    def add_address(self, address: InterfaceAddress) -> None:
        """An address that an interface without connection holds, mostly a dead adapter's, is taken over from it."""
        self._await_family(address.version)
        try:
            self._api.create_address(self._luid, address)
        except Win32Error as error:
            if error.code in _NO_FAMILY:
                raise error.as_driver_error(path=f"{self.name} {address}", hint=_FAMILY_HINT) from error
            if error.code != ERROR_OBJECT_ALREADY_EXISTS:
                raise error.as_driver_error(path=f"{self.name} {address}") from error
            self._settle_address(address, error)

    def remove_address(self, address: InterfaceAddress) -> None:
        self._forget(lambda: self._api.delete_address(self._luid, address), str(address))

    def routes(self) -> set[Route]:
        known = self._ask(self._api.routes)
        return {Route(route.prefix) for route in known if route.luid == self._luid and route.is_asked_for}

    def add_route(self, route: Route) -> None:
        if route.table is not None:
            raise DriverError(
                "Windows has one routing table only",
                call="CreateIpForwardEntry2",
                os_code=ERROR_NOT_SUPPORTED,
                path=f"{self.name} {route.prefix}",
                hint=_TABLE_HINT,
            )
        self._await_family(route.prefix.version)
        try:
            self._api.create_route(self._luid, route.prefix, _METRIC)
        except Win32Error as error:
            if error.code != ERROR_OBJECT_ALREADY_EXISTS:
                hint = _FAMILY_HINT if error.code in _NO_FAMILY else None
                raise error.as_driver_error(path=f"{self.name} {route.prefix}", hint=hint) from error

    def remove_route(self, route: Route) -> None:
        if route.table is None:
            self._forget(lambda: self._api.delete_route(self._luid, route.prefix), str(route.prefix))

    def set_mtu(self, mtu_bytes: int) -> None:
        """The default MTU stands for "as much as the way out carries, but no more than that"."""
        self._wanted_mtu_bytes = mtu_bytes
        self._prepare()
        self._apply_mtu()

    def follow_underlay(self) -> None:
        """Routes or interfaces changed: the MTU may be another, the interface may have a family more, and a new
        interface must forward like the others.

        A failure is logged; the tunnel goes on as it is.
        """
        if self._is_closed:
            return
        try:
            if self._wanted_mtu_bytes is not None:
                self._prepare()
                self._apply_mtu()
            if self._is_forwarding:
                self.set_forwarding(True)
        except DriverError as error:
            _log.warning("underlay_not_followed", tunnel=self.name, error=str(error))

    def set_up(self, is_up: bool) -> None:
        """Windows's interface is up while the adapter has a session, which is the TUN driver's."""
        if is_up:
            self._prepare()
            if not self._has_dns:
                self._forget_stale_dns()
        if self._link is not None:
            self._link.set_link(is_up=is_up)

    def set_forwarding(self, is_on: bool) -> None:
        """On every connected interface; off puts back what was there before, whichever process switched it on."""
        self._is_forwarding = is_on
        self._ask(lambda: self._forwarding.switch(is_on))

    def forwards(self) -> bool:
        return self._ask(self._forwarding.is_effective)

    def set_default_route_rules(self, fwmark: int, table: int, is_on: bool) -> None:
        """Windows has none. Raises DriverError when they are asked for."""
        if is_on:
            raise DriverError(
                "a default route through the tunnel needs policy rules, which Windows does not have",
                call="set_default_route_rules",
                os_code=ERROR_NOT_SUPPORTED,
                path=self.name,
                hint=_TABLE_HINT,
            )

    def set_dns(self, servers: Sequence[str], search: Sequence[str]) -> None:
        """Each family gets its own servers, and the search domains if it has any."""
        if not servers and not search and not self._has_dns:
            return
        for version in _VERSIONS:
            own = [server for server in servers if ipaddress.ip_address(server).version == version]
            if own:
                self._await_family(version)
            try:
                self._api.set_dns(self._luid, version, own, search if own or not servers else [])
            except Win32Error as error:
                if error.code in _NO_FAMILY and not own:
                    continue
                raise error.as_driver_error(path=f"{self.name} DNS") from error
        self._has_dns = bool(servers or search)

    def close(self) -> None:
        """Takes back DNS, routes, addresses and forwarding: what outlived the adapter would hinder the next one.

        Idempotent. Raises DriverError only after all was tried.
        """
        if self._is_closed:
            return
        self._is_closed = True
        with contextlib.ExitStack() as stack:  # each step is made whatever becomes of the others; last in, first out
            stack.callback(self.set_forwarding, False)
            for address in self.addresses():
                stack.callback(self.remove_address, address)
            for route in self.routes():
                stack.callback(self.remove_route, route)
            stack.callback(self.set_dns, (), ())

    def _await_family(self, version: int) -> None:
        """In vain where it is switched off: the call that needs it then tells."""
        self._prepare()
        while version not in self._prepared and self._polls_left:
            self._polls_left -= 1
            self._wait(_READY_POLL_S)
            self._prepare()

    def _prepare(self) -> None:
        """Before the first address: it would wait for duplicate address detection otherwise."""
        missing = [version for version in _VERSIONS if version not in self._prepared]
        found = {v for v in missing if self._set_interface(v, InterfaceSettings(is_tunnel=True, metric=_METRIC))}
        self._prepared |= found
        if found and self._wanted_mtu_bytes is not None:
            self._apply_mtu()

    def _forget_stale_dns(self) -> None:
        """A process that was killed leaves its name servers in the registry, where the next adapter finds them: its
        GUID is the same."""
        for version in self._prepared:
            try:
                self._api.set_dns(self._luid, version, (), ())
            except Win32Error as error:
                _log.warning("stale_dns_not_removed", tunnel=self.name, error=str(error))

    def _apply_mtu(self) -> None:
        wanted = self._wanted_mtu_bytes or DEFAULT_MTU_BYTES
        mtu_bytes = self._followed() if wanted == DEFAULT_MTU_BYTES else wanted
        for version in _VERSIONS:
            allowed = max(mtu_bytes, MIN_MTU_BYTES[version])
            if self._mtus.get(version) != allowed and self._set_interface(
                version, InterfaceSettings(mtu_bytes=allowed)
            ):
                self._mtus[version] = allowed
        largest = max(self._mtus.values(), default=mtu_bytes)
        if self._link is not None and largest != self._told_mtu_bytes:
            self._told_mtu_bytes = largest
            self._link.set_link(mtu_bytes=largest)

    def _followed(self) -> int:
        return tunnel_mtu(self._ask(lambda: underlay_mtu(self._api, self._luid)))

    def _set_interface(self, version: int, settings: InterfaceSettings) -> bool:
        """Whether the interface has this family."""
        try:
            self._api.set_interface(self._luid, version, settings)
        except Win32Error as error:
            if error.code in _NO_FAMILY:
                return False
            raise error.as_driver_error(path=self.name) from error
        return True

    def _settle_address(self, address: InterfaceAddress, cause: Win32Error) -> None:
        """Somebody has it: we ourselves, with this or another prefix length, or another interface."""
        holders = [(luid, held) for luid, held in self._ask(self._api.addresses) if held.ip == address.ip]
        if (self._luid, address) in holders:
            return
        interfaces = self._ask(self._api.interfaces)
        alive = {known.luid for known in interfaces if known.is_connected} - {self._luid}
        if not holders or any(luid in alive for luid, _ in holders):
            raise cause.as_driver_error(
                path=f"{self.name} {address}", hint="another interface of this host has this address"
            ) from cause
        for luid, held in holders:
            _log.warning("stale_address_taken_over", tunnel=self.name, address=str(held), luid=luid)
            self._forget(lambda luid=luid, held=held: self._api.delete_address(luid, held), str(held))  # type: ignore[misc]
        self._ask(lambda: self._api.create_address(self._luid, address))

    def _forget(self, delete: Callable[[], None], what: str) -> None:
        try:
            delete()
        except Win32Error as error:
            if error.code not in _GONE:
                raise error.as_driver_error(path=f"{self.name} {what}") from error

    def _ask(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except Win32Error as error:
            raise error.as_driver_error(path=self.name) from error
