# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for ansible.windows.win_eventlog and community.windows.win_eventlog_entry (Wine's event log is a stub)."""

from __future__ import annotations

import re
from typing import Any

from wirefleet_wsman.call import Call, ModuleFailedError, Result

FAMILY = "event_logs"
_DEFAULT = {"maximum_size_kb": 20480, "overflow_action": "OverwriteAsNeeded", "retention_days": 0, "entries": 0}
_CLASSIC = ("Application", "Security", "System")
_SIZE = re.compile(r"^(\d+(?:\.\d+)?)(KB|MB|GB)$", re.IGNORECASE)
_UNITS = {"KB": 1, "MB": 1024, "GB": 1024 * 1024}

Logs = dict[str, dict[str, Any]]


def _read(call: Call) -> Logs:
    logs = call.host.state.read(FAMILY)
    for name in _CLASSIC:
        logs.setdefault(name, {**_DEFAULT, "sources": {}})
    return logs


def _write(call: Call, logs: Logs) -> None:
    """Keep what is not as Windows has it from the start."""
    untouched = {**_DEFAULT, "sources": {}}
    with call.host.state.edit(FAMILY) as state:
        state.clear()
        state.update({name: log for name, log in logs.items() if name not in _CLASSIC or log != untouched})


def _find(logs: Logs, name: str) -> str:
    return next((known for known in logs if known.casefold() == name.casefold()), name)


def _log_of(logs: Logs, source: str) -> str | None:
    wanted = source.casefold()
    return next((name for name, log in logs.items() if wanted in (known.casefold() for known in log["sources"])), None)


def win_eventlog(call: Call) -> Result:
    """A log with its sources and limits."""
    logs = _read(call)
    name = _find(logs, str(call.arguments["name"]))
    sources = [str(source) for source in call.arguments.get("sources") or []]
    _refuse(call, logs, name, sources)
    result: Result = {"changed": False, "name": str(call.arguments["name"]), "sources_changed": []}
    {"present": _present, "clear": _clear, "absent": _absent}[call.arguments["state"]](
        call, logs, name, sources, result
    )
    if result["changed"] and not call.check:
        _write(call, logs)
        call.host.not_shown.add("event log", f"{name}: recorded, Wine has no event log")
    final = _read(call) if call.check else logs
    result["exists"] = name in final
    if name in final:
        result.update({key: value for key, value in final[name].items() if key != "sources"})
        result["sources"] = list(final[name]["sources"])
    return result


def _refuse(call: Call, logs: Logs, name: str, sources: list[str]) -> None:
    state = call.arguments["state"]
    files = any(call.arguments.get(key) for key in ("category_file", "message_file", "parameter_file"))
    if state == "present" and name not in logs and not sources:
        raise ModuleFailedError("You must specify one or more sources when creating a log for the first time")
    if state == "present" and name in logs and name in sources and files:
        raise ModuleFailedError(f"Cannot modify default source {name} of log {name} - you must remove the log")
    if state == "clear" and name not in logs:
        raise ModuleFailedError(f"Cannot clear log {name} as it does not exist")
    if state == "absent" and name in sources:
        raise ModuleFailedError(f"Cannot remove default source {name} from log {name} - you must remove the log")
    for source in sources:
        owner = _log_of(logs, source)
        if owner is not None and owner != name and name in logs:
            raise ModuleFailedError(f"Source {source} does not belong to log {name} and cannot be modified")
        if owner is not None and name not in logs and state == "present":
            raise ModuleFailedError(f"Source {source} already exists and cannot be created")


def _present(call: Call, logs: Logs, name: str, sources: list[str], result: Result) -> None:
    files = {
        key: str(call.arguments[key])
        for key in ("category_file", "message_file", "parameter_file")
        if call.arguments.get(key)
    }
    log = logs.setdefault(name, {**_DEFAULT, "sources": {name: {}}}) if sources else logs[name]
    for source in sources:
        present = log["sources"].get(source)
        if present is not None and all(present.get(key) == value for key, value in files.items()) and source != name:
            continue
        if present is not None and source == name and not files:
            continue
        log["sources"][source] = {**(present or {}), **files}
        result["changed"] = True
        if not call.check:
            result["sources_changed"].append(source)
    for key, value in _limits(call).items():
        if log[key] != value:
            log[key] = value
            result["changed"] = True


def _limits(call: Call) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    if size := call.arguments.get("maximum_size"):
        limits["maximum_size_kb"] = _kilobytes(str(size))
    if action := call.arguments.get("overflow_action"):
        limits["overflow_action"] = action
    if days := call.arguments.get("retention_days"):
        limits["retention_days"] = days
    return limits


def _kilobytes(size: str) -> int:
    match = _SIZE.match(size)
    if match is None:
        raise ModuleFailedError(f"Maximum size {size} is not properly specified")
    kilobytes = float(match[1]) * _UNITS[match[2].upper()]
    if not 64 <= kilobytes < 4 * 1024 * 1024:
        raise ModuleFailedError("Maximum size must be between 64KB and 4GB")
    if kilobytes % 64:
        raise ModuleFailedError("Maximum size must be divisible by 64KB")
    return int(kilobytes)


def _clear(_call: Call, logs: Logs, name: str, _sources: list[str], result: Result) -> None:
    result["changed"] = logs[name]["entries"] > 0
    logs[name]["entries"] = 0


def _absent(call: Call, logs: Logs, name: str, sources: list[str], result: Result) -> None:
    if name not in logs:
        return
    gone = [source for source in sources if source in logs[name]["sources"]] if sources else [*logs[name]["sources"]]
    result["changed"] = bool(gone) or not sources
    for source in gone:
        del logs[name]["sources"][source]
    if not sources:
        del logs[name]
    if not call.check:
        result["sources_changed"] = gone


def win_eventlog_entry(call: Call) -> Result:
    """One entry written; only its number is kept."""
    logs = _read(call)
    name, source = _find(logs, str(call.arguments["log"])), str(call.arguments["source"])
    if name not in logs:
        raise ModuleFailedError(f"Log {name} does not exist and cannot be written to")
    owner = _log_of(logs, source)
    if owner is None:
        raise ModuleFailedError(f"Source {source} does not exist")
    if owner != name:
        raise ModuleFailedError(f"Source {source} does not belong to log {name} and cannot be written to")
    if not 0 <= int(call.arguments["event_id"]) <= 65535:
        raise ModuleFailedError("Event ID must be between 0 and 65535")
    if not call.check:
        logs[name]["entries"] += 1
        _write(call, logs)
    return {"changed": True, "msg": f"Entry added to log {name} from source {source}"}
