# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Addresses, routes, rules and link state of one interface, by pyroute2.

Everything is idempotent: what is already so is left alone, what is already gone is not missed.
pyroute2 opens a socket per thread, in that thread's namespace: a call from another thread could change another
host's interface of the same number, so it is refused.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute  # type: ignore[import-untyped]  # it ships no types
from pyroute2.netlink.exceptions import NetlinkError  # type: ignore[import-untyped]

assert sys.platform != "win32"  # nothing below means anything there

from ..errors import DriverError, InternalError
from .dns_linux import set_dns
from .forwarding_linux import Forwarding
from .interfaces import InterfaceAddress, Prefix, Route
from .netlink_linux import limit_segments
from .os_errors import driver_error
from .restore_file import RestoreFile

_MAIN_TABLE = 254
_LOCAL_TABLE = 255
_PROTOCOL_KERNEL = 2
_PROTOCOL_STATIC = 4
_TYPE_UNICAST = 1
_SCOPE_LINK = 253
_RULE_INVERTED = 2  # FIB_RULE_INVERT
# The first place is for what the main table knows better, then whatever does not carry a tunnel's mark.
_PRIORITY_MAIN_FIRST = 32764
_PRIORITY_MARKED = 32765
_GONE = frozenset({errno.ESRCH, errno.ENOENT, errno.EADDRNOTAVAIL, errno.ENODEV, errno.ENETUNREACH})
_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_SRC_VALID_MARK = Path("/proc/sys/net/ipv4/conf/all/src_valid_mark")

# pyroute2's messages are dicts of nested tuples without types; this is the one file that reads them.
_Message = Any


class LinuxRoutes:
    """See RoutesDriver. Bound to the interface that has this name now, in this thread's network namespace.

    forwarding_memory: where forwarding that we switched on is noted; what a killed process noted there is put back by
    the next ``set_forwarding(False)`` or ``close``.
    """

    def __init__(self, name: str, *, forwarding_memory: RestoreFile | None = None) -> None:
        self.name = name
        self._thread = threading.get_ident()
        self._forwarding = Forwarding(interface=name, memory=forwarding_memory)
        try:
            self._netlink = IPRoute()
        except OSError as error:
            raise driver_error("socket(AF_NETLINK)", error) from error
        found = self._netlink.link_lookup(ifname=name)
        if not found:
            self._netlink.close()
            raise DriverError("there is no such interface", call="RTM_GETLINK", os_code=errno.ENODEV, path=name)
        self._index: int = found[0]

    def addresses(self) -> set[InterfaceAddress]:
        """Without IPv6 link-local addresses, which are the kernel's own."""
        result: set[InterfaceAddress] = set()
        for message in self._call("RTM_GETADDR", lambda: list(self._netlink.get_addr(index=self._index))):
            # A point-to-point address has its own side in IFA_LOCAL; IPv6 has IFA_ADDRESS only.
            text = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
            address = ipaddress.ip_interface(f"{text}/{message['prefixlen']}")
            if not (address.version == 6 and address.ip.is_link_local):
                result.add(address)
        return result

    def add_address(self, address: InterfaceAddress) -> None:
        self._address("replace", address)

    def remove_address(self, address: InterfaceAddress) -> None:
        self._address("del", address, ignore=_GONE)

    def routes(self) -> set[Route]:
        result: set[Route] = set()
        for family, bits in ((socket.AF_INET, 32), (socket.AF_INET6, 128)):
            for message in self._dump_routes(family):
                if message["type"] != _TYPE_UNICAST or message["proto"] == _PROTOCOL_KERNEL:
                    continue
                table = message.get_attr("RTA_TABLE") or message["table"]
                if message.get_attr("RTA_OIF") != self._index or table == _LOCAL_TABLE:
                    continue
                host = message.get_attr("RTA_DST") or ("0.0.0.0" if bits == 32 else "::")  # noqa: S104  # no bind
                prefix = ipaddress.ip_network(f"{host}/{message['dst_len']}")
                result.add(Route(prefix, None if table == _MAIN_TABLE else table))
        return result

    def add_route(self, route: Route) -> None:
        """Raises DriverError(EEXIST) when the same prefix already leads elsewhere: that route is not ours to take."""
        try:
            self._route("add", route)
        except DriverError as error:
            if error.os_code != errno.EEXIST or route not in self.routes():
                raise

    def remove_route(self, route: Route) -> None:
        self._route("del", route, ignore=_GONE)

    def set_mtu(self, mtu_bytes: int) -> None:
        self._call("RTM_NEWLINK", lambda: self._netlink.link("set", index=self._index, mtu=mtu_bytes))

    def set_up(self, is_up: bool) -> None:
        state = "up" if is_up else "down"
        self._call("RTM_NEWLINK", lambda: self._netlink.link("set", index=self._index, state=state))

    def set_forwarding(self, is_on: bool) -> None:
        """Off puts back what was there before the first on."""
        self._forwarding.switch(is_on)
        if is_on:
            with contextlib.suppress(DriverError):
                limit_segments(self._index)  # the limit that LinuxTun sets is for hosts that do not forward

    def forwards(self) -> bool:
        return self._forwarding.is_effective()

    def set_default_route_rules(self, fwmark: int, table: int, is_on: bool) -> None:
        """Whatever does not carry our mark asks ``table``; the main table goes first, but for its default routes.

        The second rule serves all tunnels of the host, so it leaves with the last of them.
        """
        for family in self._families():
            marked = {"fwmark": fwmark, "table": table, "flags": _RULE_INVERTED, "priority": _PRIORITY_MARKED}
            main_first = {"table": _MAIN_TABLE, "suppress_prefixlen": 0, "priority": _PRIORITY_MAIN_FIRST}
            if is_on:
                if not self._find_rules(family, fwmark=fwmark, table=table):
                    self._rule("add", family, marked)
                if not self._find_rules(family, table=_MAIN_TABLE, suppress_prefixlen=0):
                    self._rule("add", family, main_first)
                continue
            for rule in self._find_rules(family, fwmark=fwmark, table=table):
                self._rule("del", family, {**marked, "priority": rule.get_attr("FRA_PRIORITY")})
            if not any(rule["flags"] & _RULE_INVERTED for rule in self._rules(family)):
                for rule in self._find_rules(family, table=_MAIN_TABLE, suppress_prefixlen=0):
                    self._rule("del", family, {**main_first, "priority": rule.get_attr("FRA_PRIORITY")})
        if is_on:
            self._accept_marked_answers()

    def set_dns(self, servers: Sequence[str], search: Sequence[str]) -> None:
        set_dns(self.name, servers, search)

    def close(self) -> None:
        """Forwarding goes back to what it was; the interface and its routes stay as they are."""
        self._forwarding.switch(False)
        self._netlink.close()

    def _address(self, verb: str, address: InterfaceAddress, *, ignore: Iterable[int] = ()) -> None:
        call = "RTM_DELADDR" if verb == "del" else "RTM_NEWADDR"
        self._call(
            call,
            lambda: self._netlink.addr(
                verb, index=self._index, address=str(address.ip), prefixlen=address.network.prefixlen
            ),
            ignore=ignore,
            path=str(address),
        )

    def _route(self, verb: str, route: Route, *, ignore: Iterable[int] = ()) -> None:
        arguments: dict[str, object] = {
            "dst": str(route.prefix),
            "oif": self._index,
            "table": _MAIN_TABLE if route.table is None else route.table,
            "family": _family_of(route.prefix),
        }
        if verb == "add":
            arguments["proto"] = _PROTOCOL_STATIC
        if route.prefix.version == 4:
            arguments["scope"] = _SCOPE_LINK
        call = "RTM_DELROUTE" if verb == "del" else "RTM_NEWROUTE"
        self._call(call, lambda: self._netlink.route(verb, **arguments), ignore=ignore, path=str(route.prefix))

    def _dump_routes(self, family: int) -> list[_Message]:
        messages = self._call("RTM_GETROUTE", lambda: list(self._netlink.get_routes(family=family)))
        return messages if isinstance(messages, list) else []

    def _rules(self, family: int) -> list[_Message]:
        messages = self._call("RTM_GETRULE", lambda: list(self._netlink.get_rules(family=family)))
        return messages if isinstance(messages, list) else []

    def _find_rules(self, family: int, **attributes: int) -> list[_Message]:
        names = {"fwmark": "FRA_FWMARK", "table": "FRA_TABLE", "suppress_prefixlen": "FRA_SUPPRESS_PREFIXLEN"}
        return [
            rule
            for rule in self._rules(family)
            if all(rule.get_attr(names[key]) == value for key, value in attributes.items())
        ]

    def _rule(self, verb: str, family: int, arguments: dict[str, int]) -> None:
        call = "RTM_DELRULE" if verb == "del" else "RTM_NEWRULE"
        ignore = _GONE if verb == "del" else frozenset({errno.EEXIST})
        self._call(call, lambda: self._netlink.rule(verb, family=family, **arguments), ignore=ignore)

    def _families(self) -> tuple[int, ...]:
        return tuple(family for family in _FAMILIES if family == socket.AF_INET or Path("/proc/net/if_inet6").exists())

    def _accept_marked_answers(self) -> None:
        """The reverse path filter must look at the mark, or it drops the tunnel's own answers."""
        try:
            if _SRC_VALID_MARK.read_text(encoding="ascii").strip() != "1":
                _SRC_VALID_MARK.write_text("1", encoding="ascii")
        except OSError as error:
            raise driver_error("write", error, path=str(_SRC_VALID_MARK)) from error

    def _call(
        self, name: str, action: Callable[[], object], *, ignore: Iterable[int] = (), path: str | None = None
    ) -> Any:
        if threading.get_ident() != self._thread:
            raise InternalError("a routes driver belongs to the thread that made it", path=self.name)
        try:
            return action()
        except NetlinkError as error:
            code: int = error.code
            if code in ignore:
                return None
            raise driver_error(
                name, OSError(code, str(error)), path=f"{self.name} {path}" if path else self.name
            ) from error
        except OSError as error:
            raise driver_error(name, error, path=self.name) from error


def _family_of(prefix: Prefix) -> int:
    return socket.AF_INET if prefix.version == 4 else socket.AF_INET6
