# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs inside the prefix under Windows Python (standard library only): JSON lines in, JSON lines out, ASCII.

{"id", "operation", ...} is answered by {"id", "result"} or {"id", "error", "code"}. {"event": "service_exited"}
comes by itself when the process of a watched service has ended.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

assert sys.platform == "win32"

sys.path.insert(0, str(Path(__file__).parent))

import scm  # noqa: E402
import winregistry  # noqa: E402

POLL_INTERVAL_S = 0.5


@dataclass
class _Watched:
    """A service: the process that runs it, and the last one whose end was told."""

    process_id: int = 0
    handle: int = 0
    told_process_id: int = 0


_OPERATIONS = {**scm.OPERATIONS, **winregistry.OPERATIONS}
_output = threading.Lock()
_watched: dict[str, _Watched] = {}


def _say(message: dict[str, Any]) -> None:
    with _output:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


def _answer(request: dict[str, Any]) -> None:
    number = request.pop("id")
    operation = request.pop("operation")
    try:
        if operation == "service_watch":
            _watched.setdefault(str(request["name"]), _Watched())
            result: dict[str, Any] = {}
        else:
            result = _OPERATIONS[operation](**request)
    except OSError as error:
        _say({"id": number, "error": str(error), "code": getattr(error, "winerror", None) or 0})
    except (KeyError, TypeError, ValueError) as error:
        _say({"id": number, "error": f"{type(error).__name__}: {error}"})
    else:
        _say({"id": number, "result": result})


def _watch() -> None:
    while True:
        time.sleep(POLL_INTERVAL_S)
        for name in list(_watched):
            _look_after(name)


def _look_after(name: str) -> None:
    watched = _watched[name]
    try:
        status = scm.query(name=name)
    except OSError:
        return  # the control manager does not answer while the host goes down
    if not status["exists"]:
        scm.close_process(watched.handle)
        del _watched[name]
        return
    exit_code = None
    if watched.handle and scm.has_ended(watched.handle):
        exit_code = scm.exit_code(watched.handle)
        scm.close_process(watched.handle)
        watched.handle = 0
        if status["process_id"] not in (0, watched.process_id):
            # Stopped and started again between two looks: on purpose, so nothing has failed.
            watched.process_id, watched.handle = status["process_id"], scm.open_process(status["process_id"])
            return
    elif not watched.handle and status["process_id"]:
        watched.process_id, watched.handle = status["process_id"], scm.open_process(status["process_id"])
    elif not watched.handle and status["raw_state"] == scm.RUNNING:
        watched.process_id = status["raw_process_id"]  # it died before anybody looked
    if not watched.handle and watched.process_id not in (0, watched.told_process_id):
        watched.told_process_id = watched.process_id
        _tell_end(name, watched.process_id, exit_code, status)


def _tell_end(name: str, process_id: int, exit_code: int | None, status: dict[str, Any]) -> None:
    _say(
        {
            "event": "service_exited",
            "name": name,
            "process_id": process_id,
            "exit_code": exit_code,
            "said_stopped": status["raw_state"] == scm.STOPPED,
            "win32_exit_code": status["win32_exit_code"],
        }
    )


def main() -> None:
    """Serve until standard input ends."""
    threading.Thread(target=_watch, daemon=True).start()
    for line in sys.stdin.buffer:
        threading.Thread(target=_answer, args=(json.loads(line),), daemon=True).start()


if __name__ == "__main__":
    main()
