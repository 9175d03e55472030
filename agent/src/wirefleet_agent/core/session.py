# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A session: the keypair of one handshake, its send counter and its replay window (WireGuard paper 5.4.5).

And the three slots in which a peer keeps its sessions (checklist 11). The initiator's new session becomes `current` at
once, for it has heard the responder. The responder's waits in `next` until the first authenticated packet under it
proves that the initiator has it too; `previous` still opens what was on its way.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..crypto import Aead
from .constants import RECEIVE_REKEY_AFTER_S, REJECT_AFTER_MESSAGES, REJECT_AFTER_TIME_S
from .leases import OpenLease
from .replay import ReplayWindow

if TYPE_CHECKING:
    from .index_table import IndexTable
    from .peer import Peer


class Session:
    """One keypair. The AEAD objects hold the keys; letting go of them is all the wiping Python has (checklist 16).

    rejected_at: from then on it neither sends nor receives (checklist 14). renewed_after: what is received later makes
    its initiator renew it (13).
    """

    __slots__ = (
        "created_at",
        "is_initiator",
        "local_index",
        "open_lease",
        "peer",
        "rejected_at",
        "remote_index",
        "renewed_after",
        "send_aead",
        "send_counter",
    )

    def __init__(
        self,
        peer: Peer,
        *,
        is_initiator: bool,
        local_index: int,
        remote_index: int,
        send_key: bytes,
        receive_key: bytes,
        now: float,
    ) -> None:
        self.peer = peer
        self.is_initiator = is_initiator
        self.local_index = local_index
        self.remote_index = remote_index
        self.created_at = now
        self.rejected_at = now + REJECT_AFTER_TIME_S
        self.renewed_after = now + RECEIVE_REKEY_AFTER_S if is_initiator else math.inf
        self.send_aead = Aead(send_key)
        self.send_counter = 0
        self.open_lease = OpenLease(Aead(receive_key), peer, ReplayWindow())

    def can_send(self, count: int, now: float) -> bool:
        """Whether ``count`` more counters may be used."""
        return self.send_counter + count <= REJECT_AFTER_MESSAGES and now < self.rejected_at


class SessionSlots:
    """previous, current and next of one peer; whatever falls out loses its index."""

    __slots__ = ("_indices", "current", "next", "previous")

    def __init__(self, indices: IndexTable) -> None:
        self._indices = indices
        self.previous: Session | None = None
        self.current: Session | None = None
        self.next: Session | None = None

    def add(self, session: Session) -> None:
        """Take a new session: as initiator into `current`, as responder into `next`."""
        if session.is_initiator:
            self._drop(self.previous)
            if self.next is not None:
                # The unconfirmed session is the younger of the two and may yet carry data.
                self._drop(self.current)
                self.previous, self.next = self.next, None
            else:
                self.previous = self.current
            self.current = session
        else:
            self._drop(self.next)
            self._drop(self.previous)
            self.previous, self.next = None, session

    def confirm(self, lease: OpenLease) -> bool:
        """Authenticated data came under ``lease``: if its session waited in `next` it is current now (True)."""
        if self.next is None or self.next.open_lease is not lease:
            return False
        self._drop(self.previous)
        self.previous, self.current, self.next = self.current, self.next, None
        return True

    def forbid_sending(self) -> None:
        """Let no session send again; what is under way can still be received (checklist 17)."""
        for session in (self.current, self.next):
            if session is not None:
                session.send_counter = REJECT_AFTER_MESSAGES

    def wipe(self) -> None:
        """Let go of all three."""
        for session in (self.previous, self.current, self.next):
            self._drop(session)
        self.previous = self.current = self.next = None

    def _drop(self, session: Session | None) -> None:
        if session is not None:
            self._indices.release(session.local_index)
