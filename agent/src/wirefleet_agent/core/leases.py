# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Leases: how the fast path uses a session without owning it.

A lease is valid until the caller returns to its loop. The core stays the only owner of counters,
windows and timers; the data plane seals and opens with the AEAD and reports what it did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    from ..wire import Endpoint, LocalAddress
    from .peer import Peer
    from .replay import ReplayWindow


class SealLease:
    """``count`` counters from ``first_counter`` on, reserved for the caller alone.

    A counter that stays unused is a gap, which does no harm; no counter is ever handed out twice.
    """

    __slots__ = ("aead", "endpoint", "first_counter", "local", "peer", "receiver_index")

    def __init__(
        self,
        aead: ChaCha20Poly1305,
        first_counter: int,
        receiver_index: int,
        endpoint: Endpoint,
        local: LocalAddress | None,
        peer: Peer,
    ) -> None:
        self.aead = aead
        self.first_counter = first_counter
        self.receiver_index = receiver_index
        self.endpoint = endpoint
        self.local = local
        self.peer = peer


class OpenLease:
    """The receiving half of one session; made once with the session and handed out again and again.

    It does not know its session: a cycle would keep the keys in memory after the session was dropped.

    check(counter) -> bool: would the counter be taken? Cheap, moves nothing, worth asking before the AEAD.
    commit(counter) -> bool: after the AEAD only (checklist 27). False: replayed or too old, drop the packet.
    commit_run(first, count) -> bool: as commit for consecutive counters in one update; False: at least one is
    not fresh and nothing has changed, commit them one by one.
    """

    __slots__ = ("aead", "check", "commit", "commit_run", "peer")

    def __init__(self, aead: ChaCha20Poly1305, peer: Peer, replay: ReplayWindow) -> None:
        self.aead = aead
        self.peer = peer
        self.check: Callable[[int], bool] = replay.check
        self.commit: Callable[[int], bool] = replay.commit
        self.commit_run: Callable[[int, int], bool] = replay.commit_run
