# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Underlay addresses: where a datagram goes to, and which of our own addresses it leaves from."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple


class Endpoint(NamedTuple):
    """A numeric underlay address. host: canonical text without scope; scope_id: 0, or the link's index (fe80::)."""

    host: str
    port: int
    scope_id: int = 0

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """``192.0.2.1:51820`` or ``[2001:db8::1%3]:51820``; raises ValueError for anything else, names included."""
        host, colon, port_text = text.rpartition(":")
        if not colon or not port_text.isascii() or not port_text.isdigit() or len(port_text) > 5:
            raise ValueError(f"an endpoint is ADDRESS:PORT, not {text!r}")
        port = int(port_text)
        if not 0 < port < 65536:
            raise ValueError(f"a port is 1 to 65535, not {port}")
        if host.startswith("[") and host.endswith("]"):
            address, _, scope = host[1:-1].partition("%")
            if scope and not (scope.isascii() and scope.isdigit()):
                raise ValueError(f"a scope is the number of an interface, not {scope!r}")
            return cls(str(ipaddress.IPv6Address(address)), port, int(scope or 0))
        return cls(str(ipaddress.IPv4Address(host)), port)

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.host

    def packed(self) -> bytes:
        """Address and port as bytes: the input of the cookie's MAC (checklist 26)."""
        return ipaddress.ip_address(self.host).packed + self.port.to_bytes(2, "big")

    def __str__(self) -> str:
        if not self.is_ipv6:
            return f"{self.host}:{self.port}"
        scope = f"%{self.scope_id}" if self.scope_id else ""
        return f"[{self.host}{scope}]:{self.port}"


class LocalAddress(NamedTuple):
    """The sticky source (checklist 35): the address and interface on which the peer's last packet arrived."""

    host: str
    ifindex: int
