# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Peers whose initiation waits for its turn.

An initiation costs Diffie-Hellman operations. One peer's is made with the next ``poll``; when thousands ask for one at
the same moment (the interface comes up, the private key changes, keepalives are switched on) they are spread over
many turns of the caller's loop, and data moves in between.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .peer import Peer


class InitiationQueue:
    """First come, first served; a peer that asks again keeps its place. waiting: peer -> is_owed."""

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: OrderedDict[Peer, bool] = OrderedDict()

    def add(self, peer: Peer, *, is_owed: bool) -> None:
        """is_owed: see ``sending.send_initiation``; once said it stays."""
        self.waiting[peer] = is_owed or self.waiting.get(peer, False)

    def take(self) -> tuple[Peer, bool]:
        """(peer, is_owed) of whoever waits longest; there must be one."""
        return self.waiting.popitem(last=False)

    def forget(self, peer: Peer) -> None:
        """It has a session, or is stopped; no error if it does not wait."""
        self.waiting.pop(peer, None)

    def __len__(self) -> int:
        return len(self.waiting)
