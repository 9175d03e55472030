# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripts that ansible-core itself runs on a Windows host, done in Python."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from typing import Any

from wirefleet_wsman.host import Host
from wirefleet_wsman.paths import PathRefusedError
from wirefleet_wsman.powershell import CoreScript, RemovePath

Outcome = tuple[int, bytes, bytes]


def run_core_script(host: Host, script: CoreScript) -> Outcome:
    """Exit code, stdout, stderr."""
    action = _SCRIPTS.get(script.name)
    if action is None:
        return 1, b"", f"rehearsal: unknown core script {script.name}".encode()
    try:
        return 0, action(host, script.parameters, script.data), b""
    except (OSError, PathRefusedError, ValueError) as error:
        return 1, b"", f"{type(error).__name__}: {error}\r\n".encode()


def remove_path(host: Host, request: RemovePath) -> Outcome:
    """Remove-Item -Force, with -Recurse for directories."""
    try:
        local = host.paths.to_local(request.path, writing=True)
        if local.is_dir() and not local.is_symlink():
            shutil.rmtree(local)
        else:
            local.unlink()
    except (OSError, PathRefusedError) as error:
        return 1, b"", f"Remove-Item : {error}\r\n".encode()
    return 0, b"", b""


def _make_temporary_directory(host: Host, parameters: dict[str, Any], _data: bytes) -> bytes:
    path = host.paths.normalise(f"{parameters['Directory']}\\{parameters['Name']}")
    host.paths.to_local(path, writing=True).mkdir(parents=True)
    return f"{path}\r\n".encode()


def _expand_user(host: Host, parameters: dict[str, Any], _data: bytes) -> bytes:
    path = str(parameters["Path"])
    profile = host.paths.environment["USERPROFILE"]
    if path == "~" or path.startswith("~\\"):
        path = profile + path[1:]
    return f"{path}\r\n".encode()


def _put_file(host: Host, parameters: dict[str, Any], data: bytes) -> bytes:
    local = host.paths.to_local(str(parameters["Path"]), writing=True)
    digest = hashlib.sha1(usedforsecurity=False)
    with local.open("wb") as file:
        for line in data.split(b"\r\n"):
            chunk = base64.b64decode(line, validate=True)
            digest.update(chunk)
            file.write(chunk)
    return json.dumps({"sha1": digest.hexdigest()}).encode() + b"\r\n"


def _fetch_file(host: Host, parameters: dict[str, Any], _data: bytes) -> bytes:
    local = host.paths.to_local(str(parameters["Path"]))
    if local.is_dir():
        return b"[DIR]\r\n"
    with local.open("rb") as file:
        file.seek(int(parameters["Offset"]), os.SEEK_SET)
        chunk = file.read(int(parameters["BufferSize"]))
    return base64.b64encode(chunk) + b"\r\n"


_SCRIPTS: dict[str, Callable[[Host, dict[str, Any], bytes], bytes]] = {
    "powershell_mkdtemp.ps1": _make_temporary_directory,
    "powershell_expand_user.ps1": _expand_user,
    "winrm_put_file.ps1": _put_file,
    "winrm_fetch_file.ps1": _fetch_file,
}
