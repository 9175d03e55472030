# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows paths of a rehearsed host and the Linux files behind them.

`C:\\...` is PREFIX/drive_c/..., looked up without regard to case, with either slash, after expansion of
%NAME%. Only drive C exists. Nothing outside the prefix is ever written; outside it only what the prefix
itself links to for sharing (the Windows directory's DLLs, C:\\Python311) can be read.
"""

from __future__ import annotations

import ntpath
import os
import re
from collections.abc import Mapping
from pathlib import Path

_VARIABLE = re.compile(r"%([^%]+)%")
_FORBIDDEN = re.compile(r'[<>"|?*\x00-\x1f:]')
_SHARED = ("windows", "python311")


class PathRefusedError(Exception):
    """A path that this host does not have or does not let anybody use."""


class WindowsPaths:
    """Translates paths of one host. environment: the host's variables, by any case of their names."""

    def __init__(self, prefix: Path, environment: Mapping[str, str]) -> None:
        self._drive = prefix / "drive_c"
        self._prefix = Path(os.path.realpath(prefix))
        self._environment = {name.upper(): value for name, value in environment.items()}

    @property
    def environment(self) -> Mapping[str, str]:
        """The host's variables, names in upper case."""
        return self._environment

    def expand(self, text: str) -> str:
        """Replace %NAME% as ExpandEnvironmentStrings does: unknown names stay."""
        return _VARIABLE.sub(lambda match: self._environment.get(match[1].upper(), match[0]), text)

    def normalise(self, text: str) -> str:
        """The absolute Windows path, without `.` and `..`, with backslashes. Raises PathRefusedError."""
        path = self.expand(text).replace("/", "\\")
        path = path.removeprefix("\\\\?\\")
        if path.startswith("\\\\"):
            raise PathRefusedError(f"network paths do not exist here: {text!r}")
        drive, rest = ntpath.splitdrive(path)
        if not drive and not rest.startswith("\\"):
            rest = ntpath.join(self._environment.get("USERPROFILE", "C:\\")[2:], rest)
        if drive and drive.upper() != "C:":
            raise PathRefusedError(f"Cannot find drive. A drive with the name '{drive[:-1]}' does not exist.")
        if drive and rest and not rest.startswith("\\"):
            raise PathRefusedError(f"drive-relative paths are not supported: {text!r}")
        if _FORBIDDEN.search(rest):
            raise PathRefusedError(f"The given path's format is not supported: {text!r}")
        return "C:" + ntpath.normpath("\\" + rest.lstrip("\\"))

    def to_local(self, text: str, *, writing: bool = False) -> Path:
        """The Linux path of a Windows path, whether it exists or not. Raises PathRefusedError."""
        parts = [part.rstrip(". ") or part for part in self.normalise(text)[3:].split("\\") if part]
        current = self._drive
        for part in parts:
            current = current / _existing_name(current, part)
        self._check_inside(current, parts, writing=writing)
        return current

    def to_windows(self, local: Path) -> str:
        """The Windows path of a file beneath drive_c."""
        return "C:\\" + "\\".join(local.relative_to(self._drive).parts)

    def _check_inside(self, local: Path, parts: list[str], *, writing: bool) -> None:
        # A link itself may be replaced or removed; what must not leave the prefix is the way to it.
        resolved = Path(os.path.realpath(local.parent if writing else local))
        if resolved.is_relative_to(self._prefix):
            return
        if not writing and parts and parts[0].casefold() in _SHARED:
            return
        raise PathRefusedError(f"Access to the path '{self.to_windows(local)}' is denied: it leaves the prefix")


def _existing_name(directory: Path, name: str) -> str:
    if os.path.lexists(directory / name):
        return name
    wanted = name.casefold()
    try:
        return next((entry for entry in sorted(os.listdir(directory)) if entry.casefold() == wanted), name)
    except OSError:
        return name
