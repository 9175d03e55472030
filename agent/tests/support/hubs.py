# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A cluster of hubs in one process, each with its thread, its files and its address on loopback."""

from __future__ import annotations

import itertools
import os
import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from wirefleet_agent.cluster.connection import Member
from wirefleet_agent.cluster.replica import ClusterSettings, Role, Timing
from wirefleet_agent.cluster.runner import ClusterRunner
from wirefleet_agent.cluster.snapshot import stored_view
from wirefleet_agent.cluster.state import ClusterView
from wirefleet_agent.keys import ClusterKey, PublicKey

QUICK = Timing(
    heartbeat_s=0.05,
    election_min_s=0.2,
    election_max_s=0.4,
    fallback_s=0.2,
    proposal_s=1.5,
    leaderless_s=1.0,
    reopen_s=0.5,
)
KEY = ClusterKey(bytes(range(32)))
_PORT = 51822
_networks = itertools.count(os.getpid() * 61)  # each cluster has loopback addresses of its own


def key_of(number: int) -> PublicKey:
    return PublicKey(bytes([number]) * 32)


def loopback_addresses(size: int) -> list[str]:
    """Of one cluster, and of no other of this process."""
    network = next(_networks)
    return [f"127.{network >> 8 & 127 | 64}.{network & 255}.{number}" for number in range(1, size + 1)]


class Hub:
    """One member. ``turn`` is its loop: it makes the calls that the cluster's thread has posted."""

    def __init__(self, own: Member, others: tuple[Member, ...], directory: Path, timing: Timing) -> None:
        self.settings = ClusterSettings(own, others, directory, timing)
        self.name = own.name
        self.roles: list[tuple[int, Role]] = []
        self.problems: list[str] = []
        self.changes = 0
        self._posted: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._runner: ClusterRunner | None = None

    @property
    def runner(self) -> ClusterRunner:
        assert self._runner is not None, "this hub does not run"
        return self._runner

    @property
    def view(self) -> ClusterView:
        self.turn()
        return self.runner.view

    @property
    def is_writable(self) -> bool:
        self.turn()
        status = self.runner.report.status
        return status is not None and status.is_writable

    @property
    def is_leader(self) -> bool:
        self.turn()
        status = self.runner.report.status
        return status is not None and status.role == "leader"

    def start(self, key: ClusterKey = KEY) -> None:
        self._runner = ClusterRunner(
            self.settings,
            key,
            self._posted.put,
            self._changed,
            view=stored_view(self.settings.directory),
            on_role=lambda term, role: self.roles.append((term, role)),
            on_problem=self.problems.append,
        )
        self._runner.start()

    def stop(self) -> None:
        if self._runner is not None:
            assert self._runner.stop(wait_s=10)
            self._runner = None
            self.turn()

    def turn(self) -> None:
        while not self._posted.empty():
            self._posted.get()()

    def change(self, timeout_s: float = 15.0, **command: object) -> dict[str, object]:
        """Propose and wait; raises what the cluster says."""
        ticket = self.runner.propose(command)
        found = wait_for(lambda: self._outcome(ticket), timeout_s)
        assert isinstance(found, dict)
        return found

    def revoke(self, number: int, **more: object) -> dict[str, object]:
        members = self.settings.member_names
        fields = {"key": str(key_of(number)), "who": "test", "when_s": 1, "reason": "lost", "members": members}
        return self.change(op="revoke", **fields | more)

    def _outcome(self, ticket: str) -> dict[str, object] | None:
        self.turn()
        return self.runner.outcome(ticket)

    def _changed(self) -> None:
        self.changes += 1


class Hubs:
    """``size`` hubs; those that run are stopped by ``close``."""

    def __init__(self, directory: Path, size: int = 3, timing: Timing = QUICK) -> None:
        addresses = enumerate(loopback_addresses(size), start=1)
        members = [Member(key_of(number), address, _PORT) for number, address in addresses]
        self.all: list[Hub] = []
        for number, own in enumerate(members):
            home = directory / f"hub-{number + 1}"
            home.mkdir(mode=0o700)
            self.all.append(Hub(own, tuple(each for each in members if each is not own), home, timing))

    def __iter__(self) -> Iterator[Hub]:
        return iter(self.all)

    def __getitem__(self, number: int) -> Hub:
        return self.all[number]

    def start(self) -> None:
        for hub in self:
            hub.start()

    def stop(self) -> None:
        for hub in self:
            if hub._runner is not None:
                hub.runner.stop()
        for hub in self:
            hub.stop()

    def leader(self, timeout_s: float = 15.0) -> Hub:
        """The one that leads, once all that run agree."""
        running = [hub for hub in self if hub._runner is not None]

        def found() -> Hub | None:
            for hub in running:
                hub.turn()
            statuses = [hub.runner.report.status for hub in running]
            leaders = {status.leader for status in statuses if status is not None and status.is_writable}
            if any(status is None or not status.is_writable for status in statuses) or len(leaders) != 1:
                return None
            return next((hub for hub in running if hub.name in leaders and hub.is_leader), None)

        leader = wait_for(found, timeout_s)
        assert isinstance(leader, Hub)
        return leader

    def leaders_by_term(self) -> dict[int, set[str]]:
        """Who has ever led each term, as every hub itself saw it."""
        found: dict[int, set[str]] = {}
        for hub in self:
            for term, role in hub.roles:
                if role == "leader":
                    found.setdefault(term, set()).add(hub.name)
        return found


def wait_for(found: Callable[[], object], timeout_s: float = 10.0) -> object:
    """What ``found`` returns, once it is true."""
    limit = time.monotonic() + timeout_s
    while True:
        value = found()
        if value:
            return value
        assert time.monotonic() < limit, "it did not come to that in time"
        time.sleep(0.005)
