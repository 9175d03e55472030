# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for community.windows.win_unzip (zip files only: others need a PowerShell extension)."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

from wirefleet_wsman.call import Call, ModuleFailedError, Result


def win_unzip(call: Call) -> Result:
    """Unpack a zip file; always changed, as the real one is not idempotent without `creates`."""
    source, target = str(call.arguments["src"]), str(call.arguments["dest"])
    result: Result = {"changed": False, "dest": target, "removed": False, "src": source}
    creates = call.arguments.get("creates")
    if creates and call.exists(creates):
        return {**result, "skipped": True, "msg": f"The file or directory '{creates}' already exists."}
    archive = call.local("src")
    if not archive.exists():
        raise ModuleFailedError(f"File '{source}' does not exist.", **result)
    if archive.suffix.lower() != ".zip" or call.arguments["recurse"] or call.arguments.get("password"):
        raise ModuleFailedError(
            "PowerShellCommunityExtensions PowerShell Module (PSCX) is required for non-'.zip' compressed archive "
            "types.",
            **result,
        )
    _unpack(call, archive, result)
    if call.arguments["delete_archive"]:
        if not call.check:
            archive.unlink()
        result["removed"] = True
    return {**result, "changed": True}


def _unpack(call: Call, archive: Path, result: Result) -> None:
    source, target = result["src"], result["dest"]
    root = call.host.paths.normalise(target)
    if not call.check:
        call.local("dest", writing=True).mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(archive) as opened:
            for entry in opened.infolist():
                path = call.host.paths.normalise(f"{root}\\{entry.filename}")
                if path != root and not path.startswith(root.rstrip("\\") + "\\"):
                    raise ModuleFailedError(
                        f"Error unzipping '{source}' to '{target}'! Filename contains relative paths which would "
                        f"extract outside the destination: {entry.filename}",
                        **result,
                    )
                if not call.check:
                    _extract(opened, entry, call.host.paths.to_local(path, writing=True))
    except (zipfile.BadZipFile, RuntimeError) as error:
        raise ModuleFailedError(
            f"Error unzipping '{source}' to '{target}'!. Method: System.IO.Compression.ZipFile, Exception: {error}",
            **result,
        ) from error


def _extract(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, local: Path) -> None:
    if entry.is_dir():
        local.mkdir(parents=True, exist_ok=True)
        return
    local.parent.mkdir(parents=True, exist_ok=True)
    with opened.open(entry) as packed, local.open("wb") as file:
        shutil.copyfileobj(packed, file)
