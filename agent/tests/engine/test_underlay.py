# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What a tunnel does when routes and addresses of the underlay change, and how often."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.tunnels import TunnelPair
from wirefleet_agent.drivers.doorbell import Doorbell
from wirefleet_agent.engine import Tunnel


class CountingMonitor:
    """An UnderlayMonitor that counts how often it is looked at."""

    def __init__(self) -> None:
        self._bell = Doorbell()
        self._is_rung = False
        self.looks = 0

    def change(self) -> None:
        if not self._is_rung:  # once per silence, as a doorbell wants it
            self._bell.ring()
        self._is_rung = True

    def fileno(self) -> int:
        return self._bell.fileno()

    def has_changed(self) -> bool:
        self.looks += 1
        self._bell.silence()
        was_rung, self._is_rung = self._is_rung, False
        return was_rung

    def close(self) -> None:
        self._bell.close()


@pytest.fixture
def monitor() -> CountingMonitor:
    return CountingMonitor()


@pytest.fixture
def tunnel(pair: TunnelPair, monitor: CountingMonitor) -> Iterator[Tunnel]:
    third = pair.end("third", "192.0.2.3")
    made = Tunnel(pair.loop, third.device, third.tun, third.udp, monitor=monitor)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def clearings(pair: TunnelPair, tunnel: Tunnel, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When the sources that had been learned were forgotten."""
    found: list[float] = []
    monkeypatch.setattr(tunnel.udp, "forget_sources", lambda: found.append(pair.clock.now))
    return found


def test_a_storm_of_changes_is_looked_at_once_at_its_start_and_once_after_a_moment(
    pair: TunnelPair, tunnel: Tunnel, monitor: CountingMonitor
) -> None:
    """On Windows every look costs: a host may have ten thousand routes."""
    for _ in range(50):
        monitor.change()
        pair.loop.run_once(0)
    during = monitor.looks

    pair.clock.now += 0.2
    for _ in range(3):
        pair.loop.run_once(0)

    assert (during, monitor.looks) == (1, 2)


def test_changes_are_heard_again_when_it_is_quiet(
    pair: TunnelPair, tunnel: Tunnel, monitor: CountingMonitor, clearings: list[float]
) -> None:
    for _ in range(3):
        monitor.change()
        pair.loop.run_once(0)
        pair.clock.now += 0.2
        pair.loop.run_once(0)

    assert len(clearings) == 3


def test_it_is_told_once_the_changes_have_settled_and_sources_are_forgotten(
    pair: TunnelPair, tunnel: Tunnel, monitor: CountingMonitor, clearings: list[float]
) -> None:
    told: list[int] = []
    tunnel.on_underlay_moved = lambda: told.append(len(clearings))
    for _ in range(5):
        monitor.change()
        pair.loop.run_once(0)
    assert told == []

    pair.clock.now += 0.2
    pair.loop.run_once(0)

    assert told == [1]


def test_a_change_that_came_before_sources_were_forgotten_does_not_forget_later_ones(
    pair: TunnelPair, tunnel: Tunnel, monitor: CountingMonitor, clearings: list[float]
) -> None:
    monitor.change()
    pair.loop.run_once(0)
    monitor.change()

    for _ in range(10):
        pair.clock.now += 0.2
        pair.loop.run_once(0)

    assert len(clearings) == 1


def test_a_tunnel_that_stops_amid_a_storm_leaves_nothing_behind(
    pair: TunnelPair, tunnel: Tunnel, monitor: CountingMonitor
) -> None:
    monitor.change()
    pair.loop.run_once(0)

    tunnel.stop()
    pair.clock.now += 0.2
    pair.loop.run_once(0)

    assert monitor.looks == 1
