# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies of configuration files on the controller: mode 0600, written only if they differ, secrets never shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from .atomic_files import read_if_present, write_atomically
from .problems import PlanFilesError, Problem

MODE = 0o600
REDACTED = "(redacted)"
_LIMIT_BYTES = 64 << 20
_SECRET = re.compile(r"(?im)^([ \t]*#?[ \t]*(?:private|preshared)[ _-]?key[ \t]*=[ \t]*)\S.*$")


def redact(text: str) -> str:
    """The text of a .conf with the values of PrivateKey and PresharedKey redacted."""
    return _SECRET.sub(rf"\g<1>{REDACTED}", text)


class PrivateCopies:
    """Texts by file name below one directory. Errors of the system are reported as PlanFilesError."""

    def __init__(self, directory: Path, texts: Mapping[str, str]) -> None:
        self._directory = directory
        self._texts = texts
        self._before = {name: self._read(directory / name) for name in texts}

    def needs_write(self) -> bool:
        return any(self._differs(name) for name in self._texts)

    def diff(self) -> list[dict[str, str]]:
        """One entry per file that differs, in the form of Ansible's diff mode."""
        return [
            {
                "before_header": str(self._directory / name),
                "after_header": str(self._directory / name),
                "before": redact((self._before[name] or b"").decode("utf-8", "replace")),
                "after": redact(text),
            }
            for name, text in self._texts.items()
            if self._differs(name)
        ]

    def write(self) -> None:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            for name, text in self._texts.items():
                if self._differs(name):
                    write_atomically(self._directory / name, text.encode(), mode=MODE)
        except OSError as error:
            raise _from_os(error, self._directory) from error

    def _differs(self, name: str) -> bool:
        path = self._directory / name
        return self._before[name] != self._texts[name].encode() or path.stat().st_mode & 0o777 != MODE

    def _read(self, path: Path) -> bytes | None:
        try:
            return read_if_present(path, _LIMIT_BYTES)
        except OSError as error:
            raise _from_os(error, path) from error


def _from_os(error: OSError, path: Path) -> PlanFilesError:
    return PlanFilesError(Problem(error.strerror or str(error), path=str(error.filename or path)))
