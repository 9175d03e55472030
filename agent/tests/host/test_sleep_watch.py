# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.tunnels import ManualClock
from wirefleet_agent.engine import Loop
from wirefleet_agent.host.deadline import BootClock
from wirefleet_agent.host.sleep_watch import SleepWatch
from wirefleet_agent.observe import get_logger


class Host:
    """Its monotonic clock stands while it sleeps; its boot clock does not."""

    def __init__(self) -> None:
        self.monotonic = ManualClock()
        self.asleep_s = 50.0
        self.wall_s = 0.0
        self.loop = Loop(self.monotonic)
        self.resumed: list[float] = []
        clock = BootClock(lambda: self.monotonic.now + self.asleep_s, lambda: self.wall_s, "boot")
        self.watch = SleepWatch(self.loop, clock, lambda: self.resumed.append(self.monotonic.now), get_logger("host"))
        self.watch.start()

    def run_for(self, seconds: int) -> None:
        for _ in range(seconds * 4):
            self.monotonic.now += 0.25
            self.loop.run_once(0)


@pytest.fixture
def host() -> Iterator[Host]:
    made = Host()
    yield made
    made.watch.stop()
    made.loop.close()


def test_a_host_that_is_awake_has_not_resumed(host: Host) -> None:
    host.run_for(60)

    assert host.resumed == []


def test_a_sleep_is_noticed_once_within_a_second(host: Host) -> None:
    host.run_for(5)
    host.asleep_s += 3600
    start = host.monotonic.now
    host.run_for(30)

    (when,) = host.resumed
    assert when - start <= 1.0


def test_each_sleep_is_noticed(host: Host) -> None:
    for _ in range(3):
        host.asleep_s += 5
        host.run_for(3)

    assert len(host.resumed) == 3


def test_steps_of_the_wall_clock_and_drift_are_no_sleep(host: Host) -> None:
    for _ in range(60):
        host.wall_s += 86_400
        host.asleep_s += 0.01
        host.run_for(1)

    assert host.resumed == []


def test_a_stopped_watch_is_silent(host: Host) -> None:
    host.watch.stop()
    host.watch.stop()
    host.asleep_s += 100
    host.run_for(5)

    assert host.resumed == []
