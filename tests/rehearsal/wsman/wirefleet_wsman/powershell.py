# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible-core 2.19 starts on a Windows host, decoded; no PowerShell runs here.

Every PowerShell gets, on its standard input, (1) a JSON line that names the exec wrapper, (2) a line of four
NULs, (3) the exec manifest {"scripts", "actions"}, and for scripts that take data another line of four NULs and
the data. The last action is either a core script (put_file, mkdtemp, ...) or module_wrapper.ps1 with the module's
name and arguments. A PowerShell without input is a raw script; only `Remove-Item` of core is known.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any

_SEPARATOR = b"\n\x00\x00\x00\x00\n"
_PROGRAM = re.compile(r'^\s*"?(?:[^"\s]*\\)?(?:powershell|pwsh)(?:\.exe)?"?(?:\s|$)', re.IGNORECASE)
_ENCODED = re.compile(r"-EncodedCommand\s+(\S+)", re.IGNORECASE)
_REMOVE = re.compile(
    r"\s*(?:Set-StrictMode -Version Latest\s+)?Remove-Item '((?:[^']|'')*)' -Force(?: -Recurse)?;\s*"
    r"(?:If \(-not \$\?\) [^;]*)?"
)
_MODULE_NAME = re.compile(r"^ansible_collections\.(\w+)\.(\w+)\.plugins\.modules\.(\w+)\.\w+$")
_LEGACY_NAME = re.compile(r"^(?:ansible\.(?:legacy|builtin)\.)?(?:ansible\.modules\.)?(\w+)\.\w+$")


class NotUnderstoodError(Exception):
    """A PowerShell that this server cannot stand in for; the message says what it was."""


@dataclass(frozen=True, slots=True)
class RemovePath:
    """Core removes a temporary path."""

    path: str


@dataclass(frozen=True, slots=True)
class CoreScript:
    """A script of core with its parameters and the data behind it."""

    name: str
    parameters: dict[str, Any]
    data: bytes


@dataclass(frozen=True, slots=True)
class AsyncJob:
    """A module that goes on after the answer. directory: where its result is written."""

    job_id: str
    directory: str
    timeout_s: int


@dataclass(frozen=True, slots=True)
class ModuleCall:
    """A module. arguments: as the controller sent them, with its own `_ansible_...` ones."""

    module: str
    arguments: dict[str, Any]
    environment: dict[str, str]
    job: AsyncJob | None


def is_powershell(line: str) -> bool:
    """Whether a command line starts PowerShell."""
    return _PROGRAM.match(line) is not None


def decode(line: str, data: bytes) -> RemovePath | CoreScript | ModuleCall:
    """What a PowerShell's command line and input ask for. Raises NotUnderstoodError."""
    if not data:
        return _decode_raw(line)
    parts = data.split(_SEPARATOR, 2)
    try:
        manifest = json.loads(parts[1])
        actions = {str(action["name"]): dict(action["params"]) for action in manifest["actions"]}
        last = str(manifest["actions"][-1]["name"])
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise NotUnderstoodError("the input is no exec manifest of ansible-core 2.19") from error
    if "become_wrapper.ps1" in actions:
        raise NotUnderstoodError("become is not supported on a rehearsed host: tasks run as the connection's user")
    if last != "module_wrapper.ps1":
        return CoreScript(last, actions[last], parts[2] if len(parts) > 2 else b"")
    return _module_call(actions)


def _decode_raw(line: str) -> RemovePath:
    match = _ENCODED.search(line)
    try:
        script = base64.b64decode(match[1], validate=True).decode("utf-16-le") if match else line
    except (binascii.Error, UnicodeDecodeError) as error:
        raise NotUnderstoodError("the encoded command is malformed") from error
    removal = _REMOVE.fullmatch(script)
    if removal is None:
        raise NotUnderstoodError(f"raw PowerShell cannot run on a rehearsed host: {script.strip()[:120]!r}")
    return RemovePath(removal[1].replace("''", "'"))


def _module_call(actions: dict[str, dict[str, Any]]) -> ModuleCall:
    wrapper = actions["module_wrapper.ps1"]
    script = str(wrapper.get("Script", ""))
    if not wrapper.get("ForModule"):
        raise NotUnderstoodError(f"the script {script!r} is no module; scripts cannot run on a rehearsed host")
    variables = {str(item["Name"]): item["Value"] for item in wrapper.get("Variables", [])}
    job = None
    if "async_wrapper.ps1" in actions:
        parameters = actions["async_wrapper.ps1"]
        timeout_s = int(actions.get("async_watchdog.ps1", {}).get("Timeout", 0))
        job = AsyncJob(str(parameters["AsyncJid"]), str(parameters["AsyncDir"]), timeout_s)
    environment = {str(name): str(value) for name, value in (wrapper.get("Environment") or {}).items()}
    return ModuleCall(_qualified_name(script), dict(variables.get("complex_args") or {}), environment, job)


def _qualified_name(script: str) -> str:
    if match := _MODULE_NAME.match(script):
        return ".".join(match.groups())
    if match := _LEGACY_NAME.match(script):
        return f"ansible.windows.{match[1]}"
    return script
