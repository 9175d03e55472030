# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for ansible.windows.win_powershell: only the scripts of the collection's Defender role are known.

No PowerShell is parsed. A script has to be, to the letter, one that the role av_exclusions carries in its tasks; its
first line names the effect that is played: read, set or remove. Everything else fails. Microsoft Defender itself is a
record in the host's state, where a test can also switch on what stands against exclusions ("drops": they are accepted
and not kept, as under a policy that no script sees).

What a script throws is in the result's list of errors, and nowhere else: the real module sets no msg.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from wirefleet_wsman.call import Call, ModuleFailedError, Result

FAMILY = "defender"
ROLE = Path(__file__).resolve().parents[5] / "roles" / "av_exclusions" / "tasks"
_MARK = "# wirefleet av_exclusions: "
_UNTOUCHED: dict[str, Any] = {
    "present": True,
    "running": True,
    "tamper_protected": False,
    "merge_disabled": False,
    "hidden": False,
    "processes": [],
    "paths": [],
    "drops": False,
}
_HIDDEN = frozenset({"drops"})

Effect = Callable[[Call, dict[str, Any]], Result]


class _ThrownError(Exception):
    """The script's own error."""


def win_powershell(call: Call) -> Result:
    """Play a known script."""
    script = str(call.arguments.get("script") or "").strip()
    if script not in known_scripts(ROLE):
        raise ModuleFailedError("rehearsal: this script has no stand-in; PowerShell does not run here")
    effect = _EFFECTS.get(script.splitlines()[0].removeprefix(_MARK).strip())
    if effect is None:
        raise ModuleFailedError("rehearsal: the effect of this script is not known")
    streams: Result = {"result": {}, "host_out": "", "host_err": "", "output": [], "error": []}
    try:
        result = effect(call, {**_UNTOUCHED, **call.host.state.read(FAMILY)})
    except _ThrownError as error:
        result = {"changed": True, "failed": True, "error": [_error_record(str(error))]}
    return {**streams, "warning": [], "verbose": [], "debug": [], "information": [], **result}


def _error_record(message: str) -> Result:
    exception = {"message": message, "type": "System.Management.Automation.RuntimeException", "inner_exception": None}
    return {"output": f"{message}\r\n", "exception": exception, "fully_qualified_error_id": message}


def known_scripts(tasks: Path) -> set[str]:
    """The scripts of a role's tasks, without surrounding white space."""
    files = sorted(tasks.glob("**/*.yml"))
    return {script.strip() for file in files for script in _scripts_in(yaml.safe_load(file.read_text("utf-8")))}


def _scripts_in(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _scripts_in(item)
    elif isinstance(node, dict):
        arguments = node.get("ansible.windows.win_powershell")
        if isinstance(arguments, dict) and "script" in arguments:
            yield str(arguments["script"])
        for section in ("block", "rescue", "always"):
            yield from _scripts_in(node.get(section))


def _read(_call: Call, defender: dict[str, Any]) -> Result:
    shown = {key: value for key, value in defender.items() if key not in _HIDDEN}
    if not defender["present"] or not defender["running"]:
        shown = {"present": defender["present"], "running": False}
    return {"changed": False, "output": [shown]}


def _set(call: Call, defender: dict[str, Any]) -> Result:
    new = {kind: _missing(given, defender[kind]) for kind, given in _given(call).items()}
    _change(call, defender, {kind: [*defender[kind], *new[kind]] for kind in new}, any(new.values()), "not accepted")
    return _told(new, before=False)


def _remove(call: Call, defender: dict[str, Any]) -> Result:
    given = _given(call)
    left = {kind: _missing(defender[kind], given[kind]) for kind in given}
    old = {kind: _missing(defender[kind], left[kind]) for kind in given}
    _change(call, defender, left, any(old.values()), "still excluded")
    return _told(old, before=True)


def _given(call: Call) -> dict[str, list[str]]:
    parameters = {str(name).casefold(): value for name, value in (call.arguments.get("parameters") or {}).items()}
    unknown = set(parameters) - {"processes", "paths"}
    if unknown:
        raise ModuleFailedError(f"A parameter cannot be found that matches parameter name '{unknown.pop()}'.")
    return {kind: [str(item) for item in parameters.get(kind) or [] if item] for kind in ("processes", "paths")}


def _missing(wanted: list[str], present: list[str]) -> list[str]:
    known = {item.casefold() for item in present}
    return [item for item in wanted if item.casefold() not in known]


def _change(call: Call, defender: dict[str, Any], after: dict[str, list[str]], is_changed: bool, refusal: str) -> None:
    if not is_changed or call.check:
        return
    if defender["tamper_protected"] or defender["drops"] or not defender["running"]:
        raise _ThrownError(f"{refusal}: Microsoft Defender does not let anybody change it")
    kept = {key: value for key, value in {**defender, **after}.items() if value != _UNTOUCHED[key]}
    with call.host.state.edit(FAMILY) as state:
        state.clear()
        state.update(kept)
    call.host.not_shown.add("Microsoft Defender", "exclusions are recorded; there is no antivirus")


def _told(changes: dict[str, list[str]], *, before: bool) -> Result:
    text = "\n".join([*changes["processes"], *changes["paths"]])
    diff = {"before": text if before else "", "after": "" if before else text}
    return {"changed": bool(text), "diff": diff}


_EFFECTS: dict[str, Effect] = {"read": _read, "set": _set, "remove": _remove}
