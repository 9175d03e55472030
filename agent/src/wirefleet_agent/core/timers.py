# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The five timers of a peer and what moves them (WireGuard paper 6.1-6.5, checklist 15, 18-23).

=====================  ================================================  =====================================
timer                  armed                                             cancelled
=====================  ================================================  =====================================
retransmit_handshake   an initiation was sent: 5 s + jitter              handshake complete, given up
send_keepalive         data received: 10 s, if not pending               anything authenticated was sent
new_handshake          data sent: 15 s + jitter, if not pending          anything authenticated was received
zero_key_material      a session was derived: 540 s; given up: same      --
persistent_keepalive   anything authenticated passed: the interval       switched off
=====================  ================================================  =====================================

new_handshake is armed with every packet that answers another: its jitter is drawn once per session, and still no two
peers have the same. Data that arrives while send_keepalive is pending asks for another keepalive after it. This file
knows when; what happens then is sending.py's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING

from .constants import (
    KEEPALIVE_TIMEOUT_S,
    NEW_HANDSHAKE_AFTER_S,
    REKEY_JITTER_MAX_S,
    WIPE_KEYS_AFTER_S,
)
from .timer_queue import TimerQueue

if TYPE_CHECKING:
    from .peer import Peer

_OFF = math.inf


class Timer(Enum):
    """The timers, in the order in which they fire when several are due."""

    RETRANSMIT_HANDSHAKE = auto()
    SEND_KEEPALIVE = auto()
    NEW_HANDSHAKE = auto()
    ZERO_KEY_MATERIAL = auto()
    PERSISTENT_KEEPALIVE = auto()


class PeerTimers:
    """One peer's timers; while it is stopped nothing can be armed and nothing fires (checklist 23)."""

    __slots__ = (
        "_entropy",
        "_jitter_s",
        "_queue",
        "handshake_attempts",
        "is_running",
        "needs_another_keepalive",
        "new_handshake_at",
        "owner",
        "persistent_keepalive_at",
        "persistent_keepalive_s",
        "retransmit_handshake_at",
        "send_keepalive_at",
        "sent_last_minute_handshake",
        "wake_at",
        "zero_key_material_at",
    )

    def __init__(self, owner: Peer, queue: TimerQueue, entropy: Callable[[int], bytes]) -> None:
        self.owner = owner
        self._queue = queue
        self._entropy = entropy
        self.persistent_keepalive_s = 0
        self.wake_at = _OFF
        self._jitter_s = 0.0
        self.stop()

    def start(self) -> None:
        self._reset()
        self._jitter_s = self._jitter()
        self.is_running = True

    def stop(self) -> None:
        """Cancel everything."""
        self._reset()
        self.is_running = False
        self._queue.forget(self)

    def retire(self) -> None:
        """The owner is removed for good. Without the cycle between the two it is freed at once."""
        del self.owner

    def _reset(self) -> None:
        self.handshake_attempts = 0
        self.sent_last_minute_handshake = False
        self.needs_another_keepalive = False
        self.retransmit_handshake_at = _OFF
        self.send_keepalive_at = _OFF
        self.new_handshake_at = _OFF
        self.zero_key_material_at = _OFF
        self.persistent_keepalive_at = _OFF

    def earliest(self) -> float:
        """The earliest pending deadline; infinity if there is none."""
        return min(
            self.retransmit_handshake_at,
            self.send_keepalive_at,
            self.new_handshake_at,
            self.zero_key_material_at,
            self.persistent_keepalive_at,
        )

    def take_due(self, now: float) -> Timer | None:
        """Cancel and name one timer that is due, or None."""
        if self.retransmit_handshake_at <= now:
            self.retransmit_handshake_at = _OFF
            return Timer.RETRANSMIT_HANDSHAKE
        if self.send_keepalive_at <= now:
            self.send_keepalive_at = _OFF
            return Timer.SEND_KEEPALIVE
        if self.new_handshake_at <= now:
            self.new_handshake_at = _OFF
            return Timer.NEW_HANDSHAKE
        if self.zero_key_material_at <= now:
            self.zero_key_material_at = _OFF
            return Timer.ZERO_KEY_MATERIAL
        if self.persistent_keepalive_at <= now:
            self.persistent_keepalive_at = _OFF
            return Timer.PERSISTENT_KEEPALIVE
        return None

    def reschedule(self) -> None:
        """Put the peer back into the queue after its due timers were taken."""
        self._queue.wake(self, self.earliest())

    # What happened to the peer. All of it is a no-op while the peer is stopped.

    def sent(self, now: float, *, has_data: bool) -> None:
        """Something authenticated left."""
        self.send_keepalive_at = _OFF
        if not self.is_running:
            return
        if self.persistent_keepalive_s:
            self._rearm_persistent_keepalive(now)
        if has_data and self.new_handshake_at == _OFF:
            when = self.new_handshake_at = now + NEW_HANDSHAKE_AFTER_S + self._jitter_s
            if when < self.wake_at:
                self._queue.wake(self, when)

    def received(self, now: float, *, has_data: bool) -> None:
        """Something authenticated came."""
        self.new_handshake_at = _OFF
        if not self.is_running:
            return
        if self.persistent_keepalive_s:
            self._rearm_persistent_keepalive(now)
        if has_data:
            if self.send_keepalive_at == _OFF:
                when = self.send_keepalive_at = now + KEEPALIVE_TIMEOUT_S
                if when < self.wake_at:
                    self._queue.wake(self, when)
            else:
                self.needs_another_keepalive = True

    def keepalive_fired(self, now: float) -> None:
        """The passive keepalive was sent; arm the next one if data came while it was pending."""
        if self.needs_another_keepalive:
            self.needs_another_keepalive = False
            self.send_keepalive_at = now + KEEPALIVE_TIMEOUT_S
            self._queue.wake(self, self.send_keepalive_at)

    def _rearm_persistent_keepalive(self, now: float) -> None:
        self.persistent_keepalive_at = now + self.persistent_keepalive_s
        self._queue.wake(self, self.persistent_keepalive_at)

    @property
    def is_retransmit_pending(self) -> bool:
        return self.retransmit_handshake_at < _OFF

    def retransmit_after(self, when: float) -> None:
        """Try again at ``when``, which is when an initiation is allowed again, and some jitter after it."""
        if self.is_running:
            self.retransmit_handshake_at = when + self._jitter()
            self._queue.wake(self, self.retransmit_handshake_at)

    def handshake_complete(self) -> None:
        self.retransmit_handshake_at = _OFF
        self.handshake_attempts = 0
        self.sent_last_minute_handshake = False

    def session_derived(self, now: float) -> None:
        self._jitter_s = self._jitter()
        if self.is_running:
            self.zero_key_material_at = now + WIPE_KEYS_AFTER_S
            self._queue.wake(self, self.zero_key_material_at)

    def gave_up(self, now: float) -> None:
        """Wipe what is left in a while, unless that is due already (checklist 15)."""
        self.send_keepalive_at = _OFF
        if self.zero_key_material_at == _OFF:
            self.session_derived(now)

    def set_persistent_keepalive(self, interval_s: int, now: float) -> None:
        """0 switches it off; otherwise the next one is due an interval from now."""
        self.persistent_keepalive_s = interval_s
        self.persistent_keepalive_at = _OFF
        if interval_s and self.is_running:
            self._rearm_persistent_keepalive(now)

    def _jitter(self) -> float:
        return int.from_bytes(self._entropy(2), "little") / 0xFFFF * REKEY_JITTER_MAX_S
