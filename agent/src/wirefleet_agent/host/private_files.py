# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Files that only their owner may read, replaced whole or not at all, and checked before they are believed."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from ..errors import DriverError, RefusedError

_MAX_BYTES = 32 * 1024 * 1024


def make_private_dir(path: Path) -> Path:
    """``path`` exists, is ours and is closed to others (0700); parents are made 0755.

    Raises RefusedError for what is not a directory of ours, DriverError.
    """
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
            sync_dir(path.parent)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise RefusedError("this must be a directory of its own, not a link or a file", path=str(path))
        _check_owner(path, found)
        if stat.S_IMODE(found.st_mode) & 0o077:
            path.chmod(0o700)
    except OSError as error:
        raise os_failure("mkdir", path, error) from error
    return path


def read_private(path: Path) -> bytes | None:
    """The content, None if there is no such file.

    Raises RefusedError for a symbolic link, a foreign owner, or a mode that lets others read or write.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        if path.is_symlink():
            raise RefusedError("this must be a file, not a symbolic link", path=str(path)) from error
        raise os_failure("open", path, error) from error
    with os.fdopen(descriptor, "rb") as stream:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise RefusedError("this must be a regular file", path=str(path))
        _check_owner(path, found)
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise RefusedError(
                f"others may read this secret file (mode {stat.S_IMODE(found.st_mode):04o})",
                path=str(path),
                hint=f"if nobody has read it: chmod 600 {path}",
            )
        _check_directory(path.parent)
        return stream.read(_MAX_BYTES)


def write_private(path: Path, content: bytes) -> None:
    """Replace the file atomically and durably, 0600. A crash leaves the old content or the new, never a mixture."""
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
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
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
        staged.replace(path)
        sync_dir(path.parent)
    except OSError as error:
        raise os_failure("rename", path, error) from error


def discard_staged(staged: Path) -> None:
    with contextlib.suppress(OSError):
        staged.unlink(missing_ok=True)


def create_private(path: Path, content: bytes) -> bool:
    """Write a file that must not exist yet; False, and nothing is changed, if it does. Raises DriverError."""
    staged = stage_private(path, content)
    try:
        os.link(staged, path, follow_symlinks=False)
        sync_dir(path.parent)
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
        path.unlink()
        sync_dir(path.parent)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise os_failure("unlink", path, error) from error
    return True


def sync_dir(path: Path) -> None:
    """Make renames and removals in this directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def os_failure(call: str, path: Path, error: OSError) -> DriverError:
    """The operating system's no, with the file it is about."""
    hint = "run as the user that owns it (usually root)" if isinstance(error, PermissionError) else None
    return DriverError(f"{error.strerror or error}", call=call, os_code=error.errno or 0, path=str(path), hint=hint)


def _check_owner(path: Path, found: os.stat_result) -> None:
    if found.st_uid not in (0, os.geteuid()):
        raise RefusedError(
            f"this belongs to user {found.st_uid}", path=str(path), hint=f"only root or user {os.geteuid()} may own it"
        )


def _check_directory(path: Path) -> None:
    """Whoever may write to the directory may replace the file."""
    found = path.stat()
    _check_owner(path, found)
    if stat.S_IMODE(found.st_mode) & 0o022:
        raise RefusedError(
            f"others may replace files in this directory (mode {stat.S_IMODE(found.st_mode):04o})",
            path=str(path),
            hint=f"chmod go-w {path}",
        )
