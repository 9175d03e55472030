# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Names become endpoints without the loop ever waiting."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from support.tunnels import ManualClock
from wirefleet_agent.config import HostPort
from wirefleet_agent.engine import Loop, Resolver
from wirefleet_agent.engine.resolver import system_lookup
from wirefleet_agent.keys import PublicKey
from wirefleet_agent.wire.endpoint import Endpoint

ONE, TWO = PublicKey(bytes([1]) * 32), PublicKey(bytes([2]) * 32)
NAME = HostPort("hub.example.net", 51820)


class NameServer:
    """Answers from a dict, in the worker's thread; a missing name fails. ``asked`` counts the questions."""

    def __init__(self) -> None:
        self.addresses: dict[str, str] = {}
        self.asked = 0
        self._answered = threading.Semaphore(0)

    def __call__(self, name: HostPort) -> Endpoint:
        try:
            self.asked += 1
            if name.host not in self.addresses:
                raise OSError("no such name")
            return Endpoint(self.addresses[name.host], name.port)
        finally:
            self._answered.release()

    def wait(self, loop: Loop) -> None:
        """Until the worker has answered one question, and the loop has heard it."""
        assert self._answered.acquire(timeout=10)
        loop.run_once(1)
        loop.run_once(0)


@pytest.fixture
def names() -> NameServer:
    return NameServer()


@pytest.fixture
def resolver(loop: Loop, names: NameServer) -> Iterator[Resolver]:
    made = Resolver(loop, lookup=names)
    yield made
    made.close()


Resolved = list[tuple[PublicKey, Endpoint]]


def test_a_name_is_resolved_in_the_background(loop: Loop, resolver: Resolver, names: NameServer) -> None:
    resolved: Resolved = []
    names.addresses["hub.example.net"] = "192.0.2.1"

    resolver.watch({ONE: NAME}, (), lambda *answer: resolved.append(answer))
    names.wait(loop)

    assert resolved == [(ONE, Endpoint("192.0.2.1", 51820))]


def test_a_failure_is_retried_with_growing_delays(
    loop: Loop, resolver: Resolver, names: NameServer, clock: ManualClock
) -> None:
    resolved: Resolved = []
    resolver.watch({ONE: NAME}, (), lambda *answer: resolved.append(answer))
    names.wait(loop)

    for delay_s in (1, 2, 4):
        clock.now += delay_s * 0.75
        loop.run_once(0)
        before = names.asked
        clock.now += delay_s * 0.5
        loop.run_once(0)
        names.wait(loop)
        assert names.asked == before + 1
    names.addresses["hub.example.net"] = "192.0.2.1"
    clock.now += 10
    loop.run_once(0)
    names.wait(loop)

    assert resolved == [(ONE, Endpoint("192.0.2.1", 51820))]


def test_a_resolved_name_is_asked_for_again_only_on_request(loop: Loop, resolver: Resolver, names: NameServer) -> None:
    resolved: Resolved = []
    names.addresses["hub.example.net"] = "192.0.2.1"
    resolver.watch({ONE: NAME}, (), lambda *answer: resolved.append(answer))
    names.wait(loop)

    resolver.watch({ONE: NAME}, (), lambda *answer: resolved.append(answer))
    assert names.asked == 1
    names.addresses["hub.example.net"] = "192.0.2.2"
    resolver.resolve_again(ONE)
    resolver.resolve_again(TWO)
    names.wait(loop)
    resolver.watch({ONE: NAME}, {ONE}, lambda *answer: resolved.append(answer))
    names.wait(loop)

    assert [endpoint.host for _, endpoint in resolved] == ["192.0.2.1", "192.0.2.2", "192.0.2.2"]


def test_an_answer_for_a_forgotten_name_is_ignored(loop: Loop, resolver: Resolver, names: NameServer) -> None:
    resolved: Resolved = []
    names.addresses["hub.example.net"] = "192.0.2.1"

    resolver.watch({ONE: NAME}, (), lambda *answer: resolved.append(answer))
    resolver.watch({}, (), lambda *answer: resolved.append(answer))
    names.wait(loop)

    assert resolved == []


def test_the_system_resolver_knows_numbers() -> None:
    assert system_lookup(HostPort("192.0.2.7", 9)) == Endpoint("192.0.2.7", 9)
    assert system_lookup(HostPort("2001:db8::7", 9)) == Endpoint("2001:db8::7", 9)
