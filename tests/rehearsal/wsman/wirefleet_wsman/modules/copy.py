# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for ansible.windows.win_copy, in the four modes in which its action plugin calls it."""

from __future__ import annotations

import base64
import binascii
import shutil
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wirefleet_wsman.call import Call, ModuleFailedError, Result
from wirefleet_wsman.modules.files import checksum, directory_size


def win_copy(call: Call) -> Result:
    """Dispatch on the mode: query, single, explode, remote."""
    mode = str(call.internal.get("_copy_mode", "single"))
    if mode not in _MODES:
        raise ModuleFailedError(f"Get-AnsibleParam: Argument _copy_mode needs to be one of {', '.join(_MODES)}")
    return _MODES[mode](call)


def _is_directory_name(path: str) -> bool:
    return path.endswith(("\\", "/"))


def _query(call: Call) -> Result:
    """Which of the controller's files and directories are missing here or differ."""
    target = str(call.arguments["dest"])
    changed_files = [item for item in call.arguments.get("files") or [] if _needs_copy(call, target, item)]
    changed_directories = []
    for item in call.arguments.get("directories") or []:
        path = f"{target}\\{item['dest']}"
        local = call.host.paths.to_local(path)
        if local.is_file() or local.parent.is_file():
            raise ModuleFailedError(f"cannot copy folder to dest '{path}': object at path is already a file")
        if not local.is_dir():
            changed_directories.append(item)
    return {"files": changed_files, "directories": changed_directories, "symlinks": []}


def _needs_copy(call: Call, target: str, item: dict[str, Any]) -> bool:
    path = f"{target}\\{item['dest']}"
    local = call.host.paths.to_local(path)
    if local.is_dir():
        path = f"{path}\\{Path(item['src']).name}"
        local = call.host.paths.to_local(path)
    if local.is_dir():
        raise ModuleFailedError(f"cannot copy file to dest '{path}': object at path is already a directory")
    if not local.exists():
        return True
    return bool(call.arguments["force"]) and checksum(local) != item["checksum"]


def _single(call: Call) -> Result:
    """One file that the controller has put into the temporary directory goes to its place."""
    source = _existing_source(call)
    name = str(call.internal.get("_original_basename") or source.name)
    target, local = _file_target(call, name)
    result: Result = {"changed": True}
    _make_parent(call, target, local)
    if call.arguments["backup"]:
        result["backup_file"] = _back_up(call, local)
    shutil.copyfile(source, local)
    return result


def _explode(call: Call) -> Result:
    """Several files that the controller has packed, with their names in base64."""
    source = _existing_source(call)
    target = str(call.arguments["dest"])
    try:
        with zipfile.ZipFile(source) as archive:
            for entry in archive.infolist():
                _explode_entry(call, archive, entry, target)
    except (zipfile.BadZipFile, binascii.Error, UnicodeDecodeError) as error:
        raise ModuleFailedError(f"cannot expand '{call.arguments['src']}': {error}") from error
    return {"changed": True}


def _explode_entry(call: Call, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: str) -> None:
    name = base64.b64decode(entry.filename.rstrip("/\\"), validate=True).decode()
    local = call.host.paths.to_local(f"{target}\\{name}", writing=True)
    if entry.is_dir():
        local.mkdir(parents=True, exist_ok=True)
        return
    local.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as packed, local.open("wb") as file:
        shutil.copyfileobj(packed, file)


def _remote(call: Call) -> Result:
    """From one place of the host to another."""
    source = call.local("src")
    result: Result = {"changed": False, "src": call.arguments["src"], "dest": call.arguments["dest"]}
    if not source.exists():
        raise ModuleFailedError(f"Cannot copy src file: '{result['src']}' as it does not exist", **result)
    lines: list[str] = []
    if source.is_dir():
        target = _copy_folder_to_target(call, source, result, lines)
    else:
        target = _copy_file_to_target(call, source, result, lines)
    result["changed"] = bool(lines)
    result["size"] = None
    if target.is_file():
        result["size"] = target.stat().st_size
    elif target.is_dir() and not call.check:
        result["size"] = directory_size(target)
    if call.diff:
        result["diff"] = {"prepared": "".join(lines)}
    return result


def _copy_folder_to_target(call: Call, source: Path, result: Result, lines: list[str]) -> Path:
    result["operation"] = "folder_copy"
    target = str(result["dest"])
    if _is_directory_name(str(result["src"])):
        for child in sorted(source.iterdir()):
            _copy_tree(call, child, f"{target}\\{child.name}", lines)
        return call.host.paths.to_local(target)
    result["dest"] = _joined(target, source.name)
    _copy_tree(call, source, str(result["dest"]), lines)
    return call.host.paths.to_local(str(result["dest"]))


def _copy_file_to_target(call: Call, source: Path, result: Result, lines: list[str]) -> Path:
    result["operation"] = "file_copy"
    result["original_basename"] = source.name
    target, local = _file_target(call, source.name)
    result["dest"] = target
    _make_parent(call, target, local)
    if call.arguments["backup"] and local.is_file():
        result["backup_file"] = _back_up(call, local)
    _copy_file(call, source, target, lines)
    result["checksum"] = checksum(source)
    return local


def _copy_tree(call: Call, source: Path, target: str, lines: list[str]) -> None:
    if not source.is_dir():
        _copy_file(call, source, target, lines)
        return
    local = call.host.paths.to_local(target, writing=True)
    if local.is_file():
        raise ModuleFailedError(f"cannot copy folder from '{source.name}' to '{target}': dest is already a file")
    if not local.is_dir():
        lines.append(f"+{target}\\\n")
        if not call.check:
            local.mkdir(parents=True)
    for child in sorted(source.iterdir()):
        _copy_tree(call, child, f"{target}\\{child.name}", lines)


def _copy_file(call: Call, source: Path, target: str, lines: list[str]) -> None:
    local = call.host.paths.to_local(target, writing=True)
    if local.is_dir():
        raise ModuleFailedError(f"cannot copy file from '{source.name}' to '{target}': dest is already a folder")
    if local.exists() and (not call.arguments["force"] or checksum(source) == checksum(local)):
        return
    if local.exists():
        lines.append(f"-{target}\n")
    lines.append(f"+{target}\n")
    if not call.check:
        local.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, local)


def _existing_source(call: Call) -> Path:
    if not call.arguments.get("src"):
        raise ModuleFailedError("Get-AnsibleParam: Missing required argument: src")
    source = call.local("src")
    if not source.is_file():
        raise ModuleFailedError(f"Cannot copy src file: '{call.arguments['src']}' as it does not exist")
    return source


def _file_target(call: Call, name: str) -> tuple[str, Path]:
    target = str(call.arguments["dest"])
    if _is_directory_name(target) or call.host.paths.to_local(target).is_dir():
        target = _joined(target, name)
    return target, call.host.paths.to_local(target, writing=True)


def _joined(directory: str, name: str) -> str:
    return directory.rstrip("\\/") + "\\" + name


def _make_parent(call: Call, target: str, local: Path) -> None:
    if local.parent.is_file():
        raise ModuleFailedError(f"object at destination parent dir of '{target}' is currently a file")
    if local.parent.is_dir():
        return
    if target == str(call.arguments["dest"]):
        parent = target.replace("/", "\\").rpartition("\\")[0]
        raise ModuleFailedError(f"Destination directory '{parent}' does not exist")
    local.parent.mkdir(parents=True)


def _back_up(call: Call, local: Path) -> str | None:
    if not local.is_file():
        return None
    copy = local.with_name(f"{local.name}.{time.strftime('%Y%m%d-%H%M%S')}.bak")
    if not call.check:
        shutil.copyfile(local, copy)
    return call.host.paths.to_windows(copy)


_MODES: dict[str, Callable[[Call], Result]] = {
    "query": _query,
    "single": _single,
    "explode": _explode,
    "remote": _remote,
}
