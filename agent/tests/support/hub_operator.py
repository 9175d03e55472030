# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Somebody who makes changes all the time; and disks that keep through a power cut what was synced, nothing else."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from support.hubs import Hubs, wait_for
from wirefleet_agent.cluster import journal, snapshot
from wirefleet_agent.errors import UnreachableError, WireFleetError
from wirefleet_agent.keys import PublicKey


def spoke(number: int) -> PublicKey:
    return PublicKey(number.to_bytes(32, "big"))


class Operator:
    """Makes changes without end, on one hub after the other; remembers those that were confirmed."""

    def __init__(self, hubs: Hubs, start: int = 0) -> None:
        self._hubs = hubs
        self._start = start
        self._is_done = threading.Event()
        self.confirmed: list[int] = []
        self.refused = 0
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Operator:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_done.set()
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _work(self) -> None:
        number = self._start
        while not self._is_done.is_set():
            number += 1
            runner = self._hubs[number % 3]._runner
            if runner is None:
                time.sleep(0.005)
                continue
            with contextlib.suppress(WireFleetError, AssertionError):
                command = {"op": "place", "spoke": str(spoke(number)), "hub": self._hubs[0].name}
                ticket = runner.propose(command)
                if wait_for(partial(self._outcome, runner, ticket), 1.0) == {"changed": True}:
                    self.confirmed.append(number)
                continue
            self.refused += 1

    def _outcome(self, runner: object, ticket: str) -> object:
        for hub in self._hubs:
            hub.turn()
        if self._is_done.is_set():
            raise UnreachableError("enough")
        return runner.outcome(ticket)


class PowerCut:
    """Stands in for ``fsync``: remembers what each file held, and which files a directory had, at that moment."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._lock = threading.Lock()
        self._contents: dict[tuple[int, int], bytes] = {}
        self._names: dict[Path, dict[str, tuple[int, int]]] = {}
        for module in (journal, snapshot):
            monkeypatch.setattr(module.os, "fsync", self._fsync)

    def _fsync(self, descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        with self._lock:
            if path.is_dir():
                self._names[path] = {each.name: _inode(each.stat()) for each in path.iterdir()}
            else:
                self._contents[_inode(os.fstat(descriptor))] = Path(f"/proc/self/fd/{descriptor}").read_bytes()

    def happens(self, hubs: Hubs, confirmed: list[int]) -> list[int]:
        """The hubs are gone, and their files are as the disks had them. What had been confirmed by then."""
        with self._lock:
            known = list(confirmed)
            contents, names = dict(self._contents), {path: dict(found) for path, found in self._names.items()}
        hubs.stop()
        for hub in hubs:
            directory = hub.settings.directory
            shutil.rmtree(directory)
            directory.mkdir(mode=0o700)
            for name, inode in names.get(directory, {}).items():
                (directory / name).write_bytes(contents.get(inode, b""))
        with self._lock:
            self._contents.clear()
            self._names.clear()
        return known


def _inode(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
