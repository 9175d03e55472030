# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Files that only their owner may read, replaced whole or not at all, and checked before they are believed.

What "only their owner" means, and what makes a rename safe, is the platform's: ``private_files_posix``,
``private_files_windows``.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from pathlib import Path
from typing import Protocol

from ..errors import DriverError

_MAX_BYTES = 32 * 1024 * 1024


class FileSystem(Protocol):
    """The platform's half. All calls raise OSError, and RefusedError for what is not to be believed."""

    def make_dir(self, path: Path) -> None:
        """A private directory of ours is there; its parents are as the platform makes them."""

    def open_checked(self, path: Path) -> int:
        """A descriptor to read a regular file that is ours and private, in a directory where nobody may swap it."""

    def open_new(self, path: Path) -> int:
        """A descriptor to write a file that did not exist and was private from its first moment."""

    def open_lock(self, path: Path, *, create: bool) -> int:
        """A descriptor to lock: with ``create`` to write too, made private; else to read what is there."""

    def replace(self, staged: Path, path: Path) -> None:
        """Rename, over what may be there. Atomic."""

    def put_new(self, staged: Path, path: Path) -> None:
        """Rename or link; FileExistsError if something is there. ``staged`` may stay. Atomic."""

    def remove(self, path: Path) -> None: ...

    def sync_dir(self, path: Path) -> None:
        """Make renames and removals in this directory survive a power cut."""

    def secure_dir(self, path: Path, *, check: bool) -> bool:
        """A directory of ours is private afterwards; whether that took, or with ``check`` would take, a change."""

    def secure_file(self, path: Path, *, check: bool) -> bool:
        """The same for a file."""

    def secure_program_dir(self, path: Path, *, check: bool) -> bool:
        """The same for a directory whose files others may read and run, and not replace."""


if sys.platform == "win32":
    from .private_files_windows import WindowsFiles
    from .win32.security import PywinFileApi

    files: FileSystem = WindowsFiles(PywinFileApi())
    _PERMISSION_HINT = "run as an administrator"
else:
    from .private_files_posix import PosixFiles

    files = PosixFiles()
    _PERMISSION_HINT = "run as the user that owns it (usually root)"


def make_private_dir(path: Path) -> Path:
    """``path`` exists, is ours and is closed to others (POSIX: 0700); parents are made as others are.

    Raises RefusedError for what is not a directory of ours, DriverError.
    """
    try:
        files.make_dir(path)
    except OSError as error:
        raise os_failure("mkdir", path, error) from error
    return path


def read_private(path: Path) -> bytes | None:
    """The content, None if there is no such file.

    Raises RefusedError for a symbolic link, a foreign owner, or rights that let others read or write.
    """
    try:
        descriptor = files.open_checked(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise os_failure("open", path, error) from error
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read(_MAX_BYTES)


def write_private(path: Path, content: bytes) -> None:
    """Replace the file atomically and durably. A crash leaves the old content or the new, never a mixture."""
    staged = stage_private(path, content)
    try:
        commit_staged(staged, path)
    except DriverError:
        discard_staged(staged)
        raise


def stage_private(path: Path, content: bytes) -> Path:
    """Write the content durably to a new file beside ``path``, for ``commit_staged``. Raises DriverError."""
    staged = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        descriptor = files.open_new(staged)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(descriptor)
    except OSError as error:
        discard_staged(staged)
        raise os_failure("write", staged, error) from error
    return staged


def commit_staged(staged: Path, path: Path) -> None:
    try:
        files.replace(staged, path)
        files.sync_dir(path.parent)
    except OSError as error:
        raise os_failure("rename", path, error) from error


def discard_staged(staged: Path) -> None:
    with contextlib.suppress(OSError):
        staged.unlink(missing_ok=True)


def create_private(path: Path, content: bytes) -> bool:
    """Write a file that must not exist yet; False, and nothing is changed, if it does. Raises DriverError."""
    staged = stage_private(path, content)
    try:
        files.put_new(staged, path)
        files.sync_dir(path.parent)
    except FileExistsError:
        return False
    except OSError as error:
        raise os_failure("link", path, error) from error
    finally:
        discard_staged(staged)
    return True


def remove_file(path: Path) -> bool:
    """True if there was one. Raises DriverError."""
    try:
        files.remove(path)
        files.sync_dir(path.parent)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise os_failure("unlink", path, error) from error
    return True


def sync_dir(path: Path) -> None:
    """Make renames and removals in this directory survive a power cut. Raises OSError."""
    files.sync_dir(path)


def os_failure(call: str, path: Path, error: OSError) -> DriverError:
    """The operating system's no, with the file it is about."""
    hint = _PERMISSION_HINT if isinstance(error, PermissionError) else None
    if getattr(error, "winerror", None) in (32, 33):  # ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION
        hint = "another program has it open: a virus scanner, a backup?"
    os_code = getattr(error, "winerror", None) or error.errno or 0
    return DriverError(f"{error.strerror or error}", call=call, os_code=os_code, path=str(path), hint=hint)
