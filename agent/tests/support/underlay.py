# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What lies between the nodes of the in-memory network: links, NATs, and the record of every datagram."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wirefleet_agent.wire import Endpoint

if TYPE_CHECKING:
    from support.node import Node

_KINDS = {1: "initiation", 2: "response", 3: "cookie", 4: "data"}
_KEEPALIVE_BYTES = 32


def kind_of(datagram: bytes) -> str:
    """ "initiation", "response", "cookie", "data", "keepalive", or "?"."""
    if datagram[0] == 4 and len(datagram) == _KEEPALIVE_BYTES:
        return "keepalive"
    return _KINDS.get(datagram[0], "?")


@dataclass
class Record:
    """One datagram on the underlay. fate: "" while under way, then "delivered" or why it was lost."""

    time: float
    sender: Node
    receiver: Node | None
    kind: str
    datagram: bytes
    source: Endpoint
    destination: Endpoint
    fate: str = ""

    @property
    def size(self) -> int:
        return len(self.datagram)


@dataclass
class Link:
    """One direction between two nodes. Probabilities 0 to 1; the delay is delay_s + a random part of jitter_s."""

    loss: float = 0.0
    duplicate: float = 0.0
    delay_s: float = 0.005
    jitter_s: float = 0.0
    is_cut: bool = False


class Nat:
    """A port-restricted NAT before one node: other nodes see ``public``; only who was written to may answer."""

    def __init__(self, node: Node, host: str) -> None:
        self.node = node
        self.public = Endpoint(host, 40000)
        self.allowed: set[Endpoint] = set()

    def rebind(self) -> None:
        """The mapping timed out: another port outside, and nothing comes in until the node sends."""
        self.public = Endpoint(self.public.host, self.public.port + 1)
        self.allowed.clear()
