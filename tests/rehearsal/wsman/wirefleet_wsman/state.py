# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rehearsed host remembers: one JSON file per family, replaced atomically, locked against other processes."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class StateStore:
    """The files `<family>.json` in a directory."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._lock = threading.RLock()

    def read(self, family: str) -> dict[str, Any]:
        """A copy of a family's state; {} if there is none yet."""
        try:
            loaded = json.loads((self.directory / f"{family}.json").read_text("utf-8"))
        except FileNotFoundError:
            return {}
        return loaded if isinstance(loaded, dict) else {}

    @contextmanager
    def edit(self, family: str) -> Iterator[dict[str, Any]]:
        """Change a family's state in place; written when the block ends without an exception."""
        with self._lock, (self.directory / f".{family}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            state = self.read(family)
            yield state
            self._write(family, state)

    def _write(self, family: str, state: dict[str, Any]) -> None:
        target = self.directory / f"{family}.json"
        temporary = self.directory / f".{family}.new"
        temporary.write_text(json.dumps(state, indent=1, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")
        os.replace(temporary, target)


class Trace:
    """`trace.jsonl`: one line for each thing the controller asked for. Callers hand in redacted data only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def write(self, **fields: Any) -> None:
        """Append one line, stamped with the wall time."""
        line = json.dumps({"time": round(time.time(), 3), **fields}, default=str) + "\n"
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(line)


class NotShown:
    """What was asked for but cannot be shown without Windows; the `report` command prints it."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    def add(self, topic: str, detail: str) -> None:
        """Remember that something was accepted and recorded, but has no effect here."""
        with self._store.edit("not_shown") as state:
            counts = state.setdefault(topic, {})
            counts[detail] = counts.get(detail, 0) + 1
