# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Speaks bridge.py's protocol without Windows: services are `sleep` processes, the registry is a dictionary.

Its state is in the file named by the argument, so that a test can look at it and make drift.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FILE = Path(sys.argv[1])
Reply = dict[str, Any]

_lock = threading.RLock()
_processes: dict[str, subprocess.Popen[bytes]] = {}
_watched: set[str] = set()


class WinError(Exception):
    """code: of Windows."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def _load() -> dict[str, Any]:
    return dict(json.loads(FILE.read_text())) if FILE.exists() else {"services": {}, "registry": {}}


def _save(state: dict[str, Any]) -> None:
    FILE.write_text(json.dumps(state, indent=1))


def _find(state: dict[str, Any], name: str) -> Reply:
    if name.casefold() not in state["services"]:
        raise WinError(1060, "The specified service does not exist as an installed service.")
    return dict(state["services"][name.casefold()])


def service_create(name: str, path: str) -> Reply:
    state = _load()
    state["services"][name.casefold()] = {"name": name, "path": path, "display_name": name, "start": "manual"}
    _save(state)
    return {}


def service_change(name: str, **changes: Any) -> Reply:
    state = _load()
    service = _find(state, name)
    state["services"][name.casefold()] = {**service, **changes}
    _save(state)
    return {}


def service_query(name: str) -> Reply:
    state = _load()
    if name.casefold() not in state["services"]:
        return {"exists": False}
    process = _processes.get(name.casefold())
    alive = process is not None and process.poll() is None
    return {
        **_find(state, name),
        "exists": True,
        "state": "started" if alive else "stopped",
        "process_id": process.pid if alive and process else 0,
        "win32_exit_code": 0,
        "service_exit_code": 0,
        "controls": 1 if alive else 0,
        "checkpoint": 0,
        "wait_hint": 0,
    }


def service_start(name: str) -> Reply:
    service = _find(_load(), name)
    if "broken" in service["path"]:
        raise WinError(1053, "The service did not respond to the start request in a timely fashion.")
    if service_query(name)["state"] == "stopped":
        _processes[name.casefold()] = subprocess.Popen(["sleep", "600"], stdin=subprocess.DEVNULL)
    return {}


def service_stop(name: str) -> Reply:
    _find(_load(), name)
    process = _processes.pop(name.casefold(), None)
    if process is not None:
        process.terminate()
        process.wait()
    return {}


def service_delete(name: str) -> Reply:
    state = _load()
    _find(state, name)
    del state["services"][name.casefold()]
    _watched.discard(name)
    _save(state)
    return {}


def service_watch(name: str) -> Reply:
    _watched.add(name)
    return {}


def _key(hive: str, key: str) -> str:
    return f"{hive}\\{key}".casefold()


def key_read(hive: str, key: str) -> Reply:
    registry = _load()["registry"]
    own = _key(hive, key)
    if own not in registry:
        return {"exists": False, "values": {}, "sub_keys": []}
    below = [name[len(own) + 1 :] for name in registry if name.startswith(own + "\\")]
    return {"exists": True, "values": registry[own], "sub_keys": [name for name in below if "\\" not in name]}


def key_create(hive: str, key: str) -> Reply:
    state = _load()
    parts = key.split("\\")
    for length in range(1, len(parts) + 1):
        state["registry"].setdefault(_key(hive, "\\".join(parts[:length])), {})
    _save(state)
    return {}


def key_delete(hive: str, key: str) -> Reply:
    state = _load()
    own = _key(hive, key)
    state["registry"] = {
        name: values for name, values in state["registry"].items() if name != own and not name.startswith(own + "\\")
    }
    _save(state)
    return {}


def value_set(hive: str, key: str, name: str, type: str, data: Any) -> Reply:
    state = _load()
    state["registry"][_key(hive, key)][name] = [type, data]
    _save(state)
    return {}


def value_delete(hive: str, key: str, name: str) -> Reply:
    state = _load()
    del state["registry"][_key(hive, key)][name]
    _save(state)
    return {}


OPERATIONS: dict[str, Callable[..., Reply]] = {
    function.__name__: function
    for function in (
        service_create, service_change, service_query, service_start, service_stop, service_delete, service_watch,
        key_read, key_create, key_delete, value_set, value_delete,
    )
}  # fmt: skip


def _say(message: Reply) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _watch() -> None:
    while True:
        time.sleep(0.05)
        with _lock:
            for name in list(_watched):
                process = _processes.get(name.casefold())
                if process is None or process.poll() is None:
                    continue
                del _processes[name.casefold()]
                _say(
                    {
                        "event": "service_exited",
                        "name": name,
                        "process_id": process.pid,
                        "exit_code": process.returncode,
                        "said_stopped": False,
                        "win32_exit_code": 0,
                    }
                )


def main() -> None:
    """Serve until standard input ends; services end with it."""
    threading.Thread(target=_watch, daemon=True).start()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        number, operation = request.pop("id"), request.pop("operation")
        with _lock:
            try:
                _say({"id": number, "result": OPERATIONS[operation](**request)})
            except WinError as error:
                _say({"id": number, "error": str(error), "code": error.code})
    for process in _processes.values():
        os.kill(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
