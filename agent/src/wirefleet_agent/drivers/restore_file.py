# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What the host was set to before we changed it, kept on disk so that a process that is killed does not forget it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from .os_errors import driver_error


class RestoreFile:
    """A flat JSON object of strings; absent when there is nothing to restore. Its directory is private.

    write: replaces the file by this content, durably, where it has to have rights of its own.
    """

    def __init__(self, path: Path, write: Callable[[Path, bytes], None] | None = None) -> None:
        self._path = path
        self._write = write or _write

    def load(self) -> dict[str, str]:
        """Empty when there is no file, or one that is not ours to understand. Raises DriverError."""
        try:
            values = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (ValueError, UnicodeDecodeError):
            return {}
        except OSError as error:
            raise driver_error("read", error, path=str(self._path)) from error
        if not isinstance(values, dict):
            return {}
        return {key: value for key, value in values.items() if isinstance(value, str)}

    def save(self, values: Mapping[str, str]) -> None:
        """Before the change that they are to undo. On disk when it returns. Raises DriverError."""
        try:
            self._write(self._path, json.dumps(dict(values)).encode())
        except OSError as error:
            raise driver_error("write", error, path=str(self._path)) from error

    def remove(self) -> None:
        """Idempotent."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise driver_error("unlink", error, path=str(self._path)) from error


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f"{path.name}.new")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
