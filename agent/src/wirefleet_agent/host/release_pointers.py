# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""How ``current`` and ``previous`` say which release they mean, each replaced atomically.

Linux: a relative symbolic link; the command is ``current/bin/wirefleet-agent``. Windows: a text file with the release's
name in one line, since links need a privilege there and a directory link cannot be replaced in one step; a batch file
that never changes reads it and calls that release's Python.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Protocol

from .private_files import files, sync_dir

SHIM_NAME = "wirefleet-agent.cmd"
# Whatever the caller's shell has: delayed expansion would take "!" from words and paths, and a WF of his would count
# where ``current`` is missing. The last command's exit code is the batch file's.
SHIM = b"""@echo off\r
setlocal EnableExtensions DisableDelayedExpansion\r
set "WF="\r
set /p WF=<"%~dp0current"\r
if not defined WF exit /b 1\r
"%~dp0releases\\%WF%\\python.exe" -I -m wirefleet_agent %*\r
"""
_MAX_POINTER_BYTES = 256


class ReleasePointers(Protocol):
    """One platform's way. Names are those of directories in ``releases`` beside the pointers."""

    command: str
    """What makes a release complete: a program, relative to its directory."""

    def read(self, pointer: Path) -> str | None:
        """The name; None for what is no pointer."""

    def write(self, pointer: Path, name: str) -> None:
        """Raises OSError; the pointer is as before then."""


class LinkPointers:
    """Symbolic links."""

    command = "bin/wirefleet-agent"

    def read(self, pointer: Path) -> str | None:
        try:
            return pointer.readlink().name
        except OSError:
            return None

    def write(self, pointer: Path, name: str) -> None:
        staged = _staged(pointer)
        try:
            staged.symlink_to(Path("releases") / name)
            files.replace(staged, pointer)
            sync_dir(pointer.parent)
        except OSError:
            staged.unlink(missing_ok=True)
            raise


class FilePointers:
    """Text files, and the batch file that reads them. Everybody may read them, as the folder's rights say."""

    command = "python.exe"

    def read(self, pointer: Path) -> str | None:
        try:
            with pointer.open("rb") as stream:
                name = stream.read(_MAX_POINTER_BYTES).decode("ascii").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return name or None

    def write(self, pointer: Path, name: str) -> None:
        shim = pointer.with_name(SHIM_NAME)
        if not _holds(shim, SHIM):
            _write(shim, SHIM)
        _write(pointer, name.encode("ascii") + b"\r\n")


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def _write(path: Path, content: bytes) -> None:
    staged = _staged(path)
    try:
        with staged.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        files.replace(staged, path)
        sync_dir(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            staged.unlink(missing_ok=True)
        raise


def _staged(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
