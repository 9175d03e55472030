# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What became of a restart whose caller may have lost his connection meanwhile: ``run/<tunnel>.restart.json``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from ..errors import UnreachableError, WireFleetError
from .control_protocol import Json
from .paths import TunnelPaths
from .private_files import make_private_dir, read_private, write_private

RUNNING, DONE, FAILED = "running", "done", "failed"


class RestartRecord:
    """The outcome of the last restart of one tunnel. wall: seconds since the epoch."""

    def __init__(self, tunnel: TunnelPaths, *, wall: Callable[[], float] = time.time) -> None:
        self._path: Path = tunnel.host.run_dir / f"{tunnel.name}.restart.json"
        self._wall = wall

    def begin(self, restart_id: str, *, limit_s: float) -> None:
        """limit_s: who still finds it running after that may take it for dead. Raises DriverError, RefusedError."""
        self._write({"id": restart_id, "state": RUNNING, "error": None, "limit": self._wall() + limit_s})

    def end(self, restart_id: str, error: WireFleetError | None) -> None:
        """error: why the tunnel does not run now, or not as configured. Raises DriverError, RefusedError."""
        state = DONE if error is None else FAILED
        self._write({"id": restart_id, "state": state, "error": None if error is None else error.as_dict()})

    def read(self) -> Json | None:
        """``id``, ``state``, ``error``; None if there was no restart, or nothing that can be read."""
        try:
            raw = read_private(self._path)
            found = json.loads(raw) if raw is not None else None
        except (WireFleetError, ValueError):
            return None
        if not isinstance(found, dict):
            return None
        state, error = found.get("state"), found.get("error")
        if state == RUNNING and float(found.get("limit") or 0) < self._wall():
            state, error = FAILED, UnreachableError("the restart did not come to its end", hint="see the log").as_dict()
        return {"id": found.get("id"), "state": state, "error": error}

    def _write(self, fields: Mapping[str, object]) -> None:
        make_private_dir(self._path.parent)
        write_private(self._path, json.dumps(fields).encode() + b"\n")
