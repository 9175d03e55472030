# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""An append-only log file that can be rotated: by others where they may rename an open file, by itself on Windows."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

if sys.platform == "win32":
    _FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_BINARY | os.O_NOINHERIT
    # Windows renames no file that is open, so nothing like logrotate(8) could do it for us.
    DEFAULT_MAX_BYTES = 10 << 20
else:
    _FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    DEFAULT_MAX_BYTES = 0

_KEPT = 5


class LogFile:
    """A file (0600) that follows rotation: ``reopen`` starts the new file under the same name.

    Nothing is buffered: a line that a full disk refuses is lost alone, and the next one may fit again.
    max_bytes: beyond it the file becomes ``NAME.1``, that one ``NAME.2`` and so on, five are kept; 0: never.
    """

    def __init__(self, path: Path, *, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._descriptor = self._open()
        self._size = os.fstat(self._descriptor).st_size

    def _open(self) -> int:
        return os.open(self._path, _FLAGS, 0o600)

    def reopen(self) -> None:
        """After somebody has renamed the file. The old one stays in use if the new one fails."""
        fresh = self._open()
        self._descriptor, stale = fresh, self._descriptor
        self._size = os.fstat(fresh).st_size
        os.close(stale)

    def write(self, text: str) -> int:
        line = text.encode("utf-8", "backslashreplace")
        if self._max_bytes and self._size and self._size + len(line) > self._max_bytes:
            self._rotate()
        self._size += len(line)
        return os.write(self._descriptor, line)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """A line that still comes is lost; it must not reach whatever has the descriptor's number by then."""
        stale, self._descriptor = self._descriptor, -1
        if stale >= 0:
            os.close(stale)

    def _rotate(self) -> None:
        """A file that somebody else has open stays where it is, and grows on until the next line finds it free."""
        self.close()
        moved = self._numbered(0)
        with contextlib.suppress(OSError):
            if not moved.exists():
                self._path.replace(moved)  # before the old ones make room, or they would for nothing, line after line
            for number in range(_KEPT - 1, -1, -1):
                older = self._numbered(number)
                if older.exists():
                    older.replace(self._numbered(number + 1))
        self._descriptor = self._open()
        self._size = os.fstat(self._descriptor).st_size

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
