# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Private files where owners and modes tell who may read: 0600 in 0700, of root or of our own user."""

from __future__ import annotations

import sys

assert sys.platform != "win32"

import contextlib
import os
import stat
from pathlib import Path

from ..errors import RefusedError

_OTHERS = 0o077
_OTHERS_WRITE = 0o022


class PosixFiles:
    """See FileSystem."""

    def make_dir(self, path: Path) -> None:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
            self.sync_dir(path.parent)
        self.secure_dir(path, check=False)

    def open_checked(self, path: Path) -> int:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            raise
        except OSError as error:
            if path.is_symlink():
                raise RefusedError("this must be a file, not a symbolic link", path=str(path)) from error
            raise
        try:
            _check_file(path, os.fstat(descriptor))
            _check_directory(path.parent)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def open_new(self, path: Path) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def open_lock(self, path: Path, *, create: bool) -> int:
        flags = os.O_RDWR | os.O_CREAT if create else os.O_RDONLY
        return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def replace(self, staged: Path, path: Path) -> None:
        staged.replace(path)

    def put_new(self, staged: Path, path: Path) -> None:
        os.link(staged, path, follow_symlinks=False)

    def remove(self, path: Path) -> None:
        path.unlink()

    def sync_dir(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def secure_dir(self, path: Path, *, check: bool) -> bool:
        return _close(path, _checked_dir(path), _OTHERS, check=check)

    def secure_file(self, path: Path, *, check: bool) -> bool:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            raise RefusedError("this must be a regular file", path=str(path))
        _check_owner(path, found)
        return _close(path, found, _OTHERS, check=check)

    def secure_program_dir(self, path: Path, *, check: bool) -> bool:
        return _close(path, _checked_dir(path), _OTHERS_WRITE, check=check)


def _close(path: Path, found: os.stat_result, unwanted: int, *, check: bool) -> bool:
    """Take the unwanted bits of the mode away; whether there are any."""
    mode = stat.S_IMODE(found.st_mode)
    if not mode & unwanted:
        return False
    if not check:
        path.chmod(mode & ~unwanted)
    return True


def _checked_dir(path: Path) -> os.stat_result:
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise RefusedError("this must be a directory of its own, not a link or a file", path=str(path))
    _check_owner(path, found)
    return found


def _check_file(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise RefusedError("this must be a regular file", path=str(path))
    _check_owner(path, found)
    if stat.S_IMODE(found.st_mode) & _OTHERS:
        raise RefusedError(
            f"others may read this secret file (mode {stat.S_IMODE(found.st_mode):04o})",
            path=str(path),
            hint=f"if nobody has read it: chmod 600 {path}",
        )


def _check_owner(path: Path, found: os.stat_result) -> None:
    if found.st_uid not in (0, os.geteuid()):
        raise RefusedError(
            f"this belongs to user {found.st_uid}", path=str(path), hint=f"only root or user {os.geteuid()} may own it"
        )


def _check_directory(path: Path) -> None:
    """Whoever may write to the directory may replace the file."""
    found = path.stat()
    _check_owner(path, found)
    if stat.S_IMODE(found.st_mode) & _OTHERS_WRITE:
        raise RefusedError(
            f"others may replace files in this directory (mode {stat.S_IMODE(found.st_mode):04o})",
            path=str(path),
            hint=f"chmod go-w {path}",
        )
