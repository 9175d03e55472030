# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What all peers of one device share: identity, entropy, clock, indices, queues, and where outputs and drops go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from ..crypto import StaticIdentity
from ..drops import DropReason
from ..keys import PrivateKey
from .constants import DEFAULT_MTU_BYTES
from .events import Output
from .index_table import IndexTable
from .initiation_queue import InitiationQueue
from .timer_queue import TimerQueue

Entropy = Callable[[int], bytes]
Tai64nClock = Callable[[], bytes]


class Drawn:
    """Entropy for jitter, drawn in larger amounts: data that changes direction needs a little with every packet."""

    __slots__ = ("_at", "_bytes", "_entropy")

    _AMOUNT = 256

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._bytes = b""
        self._at = 0

    def __call__(self, count: int) -> bytes:
        """count: at most 256. No byte is handed out twice."""
        at = self._at
        if at + count > len(self._bytes):
            self._bytes, at = self._entropy(self._AMOUNT), 0
        self._at = at + count
        return self._bytes[at : at + count]


class Environment:
    """Owned by the device; its peers hold a reference each."""

    __slots__ = (
        "drops",
        "entropy",
        "identity",
        "indices",
        "initiations",
        "is_up",
        "jitter",
        "mtu_bytes",
        "outputs",
        "own_addresses",
        "tai64n_now",
        "timers",
    )

    def __init__(self, entropy: Entropy, tai64n_now: Tai64nClock) -> None:
        self.entropy = entropy
        self.jitter = Drawn(entropy)
        self.tai64n_now = tai64n_now
        self.identity: StaticIdentity | None = None
        self.indices = IndexTable(entropy)
        self.initiations = InitiationQueue()
        self.timers = TimerQueue()
        self.outputs: list[Output] = []
        self.drops: Counter[DropReason] = Counter()
        self.own_addresses: frozenset[bytes] = frozenset()
        self.is_up = False
        self.mtu_bytes = DEFAULT_MTU_BYTES

    def new_ephemeral(self) -> PrivateKey:
        return PrivateKey(self.entropy(32))
