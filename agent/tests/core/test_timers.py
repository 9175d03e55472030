# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The timer queue and one peer's timers, without any packet."""

from __future__ import annotations

import math
import random
from typing import cast

import pytest
from wirefleet_agent.core import Peer
from wirefleet_agent.core.timer_queue import TimerQueue
from wirefleet_agent.core.timers import PeerTimers, Timer


def make(queue: TimerQueue) -> PeerTimers:
    timers = PeerTimers(cast(Peer, None), queue, lambda count: bytes(count))
    timers.start()
    return timers


def fire(queue: TimerQueue, now: float) -> list[tuple[PeerTimers, Timer]]:
    fired = []
    while (timers := queue.pop_due(now)) is not None:
        while (timer := timers.take_due(now)) is not None:
            fired.append((timers, timer))
        timers.reschedule()
    return fired


def test_the_earliest_timer_of_all_peers_is_next() -> None:
    queue = TimerQueue()
    one, other = make(queue), make(queue)
    one.session_derived(0)
    other.received(3, has_data=True)

    assert queue.next_wake() == 13
    assert fire(queue, 12.9) == []
    assert fire(queue, 13) == [(other, Timer.SEND_KEEPALIVE)]
    assert queue.next_wake() == 540


def test_a_timer_that_moved_back_wakes_early_and_fires_on_time() -> None:
    queue = TimerQueue()
    timers = make(queue)
    timers.set_persistent_keepalive(25, 0)
    timers.sent(10, has_data=False)

    assert queue.next_wake() == 25
    assert fire(queue, 25) == []
    assert queue.next_wake() == 35
    assert fire(queue, 35) == [(timers, Timer.PERSISTENT_KEEPALIVE)]
    assert queue.next_wake() is None


def test_all_due_timers_of_a_peer_fire_in_their_order() -> None:
    queue = TimerQueue()
    timers = make(queue)
    timers.set_persistent_keepalive(1, 0)
    timers.session_derived(0)
    timers.sent(0, has_data=True)
    # No call leaves this one armed beside the one before; their order is what is asked.
    timers.send_keepalive_at = 10
    timers.retransmit_after(5)

    assert [timer for _, timer in fire(queue, 1000)] == list(Timer)


# checklist 23
def test_a_stopped_peer_arms_nothing_and_fires_nothing() -> None:
    queue = TimerQueue()
    timers = make(queue)
    timers.sent(0, has_data=True)
    timers.stop()
    timers.sent(0, has_data=True)
    timers.received(0, has_data=True)
    timers.set_persistent_keepalive(25, 0)
    timers.retransmit_after(5)
    timers.session_derived(0)

    assert timers.earliest() == math.inf
    assert queue.next_wake() is None
    assert fire(queue, 10_000) == []


def test_switching_the_keepalive_off_cancels_it() -> None:
    queue = TimerQueue()
    timers = make(queue)
    timers.set_persistent_keepalive(25, 0)

    timers.set_persistent_keepalive(0, 1)

    assert queue.next_wake() is None
    assert fire(queue, 100) == []


# checklist 18, 20
@pytest.mark.parametrize(("draw", "jitter"), [(b"\0\0", 0.0), (b"\xff\xff", 0.333)])
def test_the_jitter_is_drawn_from_the_entropy(draw: bytes, jitter: float) -> None:
    timers = PeerTimers(cast(Peer, None), TimerQueue(), lambda count: draw)
    timers.start()

    timers.retransmit_after(105)
    timers.sent(100, has_data=True)

    assert timers.retransmit_handshake_at == pytest.approx(105 + jitter)
    assert timers.new_handshake_at == pytest.approx(115 + jitter)


def test_the_heap_stays_small_however_often_timers_move() -> None:
    queue = TimerQueue()
    draw = random.Random(1)
    peers = [make(queue) for _ in range(10)]
    for step in range(20_000):
        now = step * 0.01
        timers = draw.choice(peers)
        timers.set_persistent_keepalive(draw.choice([1, 25, 60]), now)
        timers.received(now, has_data=True)
        timers.sent(now, has_data=False)
        if draw.random() < 0.1:
            fire(queue, now)

    assert len(queue) < 300


def test_stopped_peers_leave_the_heap_soon() -> None:
    queue = TimerQueue()
    for _ in range(1000):
        timers = make(queue)
        timers.session_derived(0)
        timers.stop()

    assert len(queue) < 200


def test_timers_fire_as_a_scan_of_all_of_them_would_say() -> None:
    draw = random.Random(2)
    queue = TimerQueue()
    peers = [make(queue) for _ in range(20)]
    now = 0.0
    for _ in range(3000):
        timers = draw.choice(peers)
        action = draw.randrange(6)
        if action == 0:
            timers.sent(now, has_data=True)
        elif action == 1:
            timers.received(now, has_data=True)
        elif action == 2:
            timers.sent(now, has_data=False)
        elif action == 3:
            timers.received(now, has_data=False)
        elif action == 4:
            timers.set_persistent_keepalive(draw.choice([0, 1, 7]), now)
        else:
            timers.stop()
            timers.start()
        now += draw.random() * 0.5
        earliest = min(each.earliest() for each in peers)
        wake = queue.next_wake()
        assert wake is None if earliest == math.inf else wake is not None and wake <= earliest
        due = {each for each in peers if each.earliest() <= now}
        assert {each for each, _ in fire(queue, now)} == due
        wake = queue.next_wake()
        assert wake is None or wake > now
