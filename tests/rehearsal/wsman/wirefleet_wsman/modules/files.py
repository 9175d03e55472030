# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for ansible.windows.win_stat and win_file, on the files of the prefix."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from pathlib import Path, PureWindowsPath
from typing import Any

from wirefleet_wsman.call import Call, ModuleFailedError, Result
from wirefleet_wsman.modules.acl import forget_missing, owner_of


def checksum(path: Path, algorithm: str = "sha1") -> str:
    """The digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def directory_size(path: Path) -> int:
    """Bytes of all files beneath a directory, links not followed."""
    return sum(
        os.lstat(os.path.join(folder, name)).st_size
        for folder, _directories, names in os.walk(path)
        for name in names
        if not os.path.islink(os.path.join(folder, name))
    )


def win_stat(call: Call) -> Result:
    """What a path is."""
    path = call.host.paths.normalise(call.arguments["path"])
    local = call.host.paths.to_local(path)
    if not local.exists():
        return {"stat": {"exists": False}}
    status = local.stat()
    is_directory = stat.S_ISDIR(status.st_mode)
    attributes = ["Directory"] if is_directory else ["Archive"]
    if not status.st_mode & 0o200:
        attributes.insert(0, "ReadOnly")
    found: dict[str, Any] = {
        "exists": True,
        "attributes": ", ".join(attributes),
        "isarchive": not is_directory,
        "isdir": is_directory,
        "ishidden": False,
        "isjunction": False,
        "islnk": False,
        "isreadonly": "ReadOnly" in attributes,
        "isreg": not is_directory,
        "isshared": False,
        "nlink": status.st_nlink if not is_directory else 1,
        "hlnk_targets": [],
        "creationtime": status.st_ctime,
        "lastaccesstime": status.st_atime,
        "lastwritetime": status.st_mtime,
        "path": path,
        "filename": PureWindowsPath(path).name or path,
        "owner": owner_of(call.host, path),
    }
    if not is_directory:
        found["extension"] = PureWindowsPath(path).suffix
        if call.arguments["get_checksum"]:
            found["checksum"] = checksum(local, call.arguments["checksum_algorithm"])
    if call.arguments["get_size"]:
        found["size"] = directory_size(local) if is_directory else status.st_size
    return {"stat": found}


def win_file(call: Call) -> Result:
    """A file or directory exists, is gone, or is touched."""
    path = str(call.arguments["path"])
    local = call.local("path", writing=True)
    basename = call.internal.get("_original_basename")
    if basename and local.is_dir():
        path, local = f"{path}\\{basename}", local / str(basename)
    state = call.arguments.get("state")
    if state == "touch":
        return _touch(call, local)
    if os.path.lexists(local):
        return _change_existing(call, path, local, state)
    if state is None:
        state = "directory" if path.endswith(("\\", "/")) else "file"
    if state == "file":
        raise ModuleFailedError(f"path {path} will not be created")
    if state == "directory":
        if not call.check:
            _make_directory(path, local)
        return {"changed": True}
    return {"changed": False}


def _change_existing(call: Call, path: str, local: Path, state: str | None) -> Result:
    if state == "absent":
        if not call.check:
            remove(local)
            forget_missing(call.host)
        return {"changed": True}
    if state == "directory" and not local.is_dir():
        raise ModuleFailedError(f"path {path} is not a directory")
    if state == "file" and local.is_dir():
        raise ModuleFailedError(f"path {path} is not a file")
    return {"changed": False}


def _touch(call: Call, local: Path) -> Result:
    if not call.check:
        if not local.parent.is_dir():
            raise ModuleFailedError(f"Could not find a part of the path '{call.arguments['path']}'.")
        local.touch()
    return {"changed": True}


def _make_directory(path: str, local: Path) -> None:
    try:
        local.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ModuleFailedError(f"path {path} is not a directory") from error


def remove(local: Path) -> None:
    """Remove a file, a link (not what it points to) or a directory with everything in it."""
    if local.is_dir() and not local.is_symlink():
        shutil.rmtree(local)
    else:
        local.unlink()
