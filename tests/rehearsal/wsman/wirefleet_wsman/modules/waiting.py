# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for ansible.windows.win_wait_for: files of the prefix, TCP ports as seen from the host's namespace."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from typing import Any

from wirefleet_wsman.call import Call, ModuleFailedError, Result


def win_wait_for(call: Call) -> Result:
    """Wait for a path, a port, or only for time to pass."""
    arguments = call.arguments
    path, port, state = arguments.get("path"), arguments.get("port"), arguments["state"]
    if state == "drained":
        raise ModuleFailedError("rehearsal: state drained has no stand-in")
    if path is not None and port is not None:
        raise ModuleFailedError("port and path parameter can not both be passed to win_wait_for")
    began_s = time.monotonic()
    time.sleep(arguments.get("delay") or 0)
    result: Result = {"changed": False, "wait_attempts": 0}
    if path is None and port is None:
        time.sleep(arguments["timeout"])
    else:
        is_reached = _path_condition(call, str(path)) if path is not None else _port_condition(call, port)
        _wait(call, is_reached, result, began_s)
    return {**result, "elapsed": time.monotonic() - began_s}


def _wait(call: Call, is_reached: Callable[[], bool], result: Result, began_s: float) -> None:
    deadline_s = time.monotonic() + call.arguments["timeout"]
    while time.monotonic() < deadline_s and not call.scope.ended.is_set():
        result["wait_attempts"] += 1
        if is_reached():
            return
        time.sleep(call.arguments["sleep"])
    raise ModuleFailedError(_timed_out(call), **result, elapsed=time.monotonic() - began_s)


def _timed_out(call: Call) -> str:
    arguments = call.arguments
    if arguments.get("path") is None:
        verb = "start" if arguments["state"] in ("started", "present") else "stop"
        return f"timeout while waiting for {arguments['host']}:{arguments['port']} to {verb} listening"
    if arguments.get("regex") is None:
        state = "absent" if arguments["state"] in ("absent", "stopped") else "present"
        return f"timeout while waiting for file {arguments['path']} to be {state}"
    return f"timeout while waiting for string regex {arguments['regex']} in file {arguments['path']} to match"


def _path_condition(call: Call, path: str) -> Callable[[], bool]:
    regex, wants_absent = call.arguments.get("regex"), call.arguments["state"] in ("absent", "stopped")

    def is_there() -> bool:
        local = call.host.paths.to_local(path)
        if regex is None or not local.is_file():
            return local.exists()
        return re.search(str(regex), local.read_text("utf-8", "replace"), re.IGNORECASE) is not None

    return lambda: is_there() != wants_absent


def _port_condition(call: Call, port: Any) -> Callable[[], bool]:
    wants_closed = call.arguments["state"] in ("absent", "stopped")
    timeout_s = call.arguments["connect_timeout"]

    def is_open() -> bool:
        try:
            socket.create_connection((str(call.arguments["host"]), int(port)), timeout=timeout_s).close()
        except OSError:
            return False
        return True

    return lambda: is_open() != wants_closed
