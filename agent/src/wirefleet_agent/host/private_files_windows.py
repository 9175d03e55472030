# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Private files where lists of rights tell who may read: SYSTEM and Administrators (``access_windows``).

Windows refuses to rename or remove what another program has open without sharing it: a virus scanner, a backup, an
indexer. They let go soon, so such a refusal is tried again for a bounded time.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from ..errors import RefusedError
from .access_windows import (
    Account,
    FileSecurity,
    foreign_owner,
    is_exactly_private,
    is_safe_program_dir,
    may_be_read_by_others,
    may_be_replaced_by_others,
    private_sddl,
    program_sddl,
)

# ERROR_ACCESS_DENIED (also: the last user of a removed file still has it open), _SHARING_VIOLATION, _LOCK_VIOLATION
_BUSY = frozenset({5, 32, 33})
_RETRY_FOR_S = 1.0
_FIRST_PAUSE_S = 0.01
_LAST_PAUSE_S = 0.1

T = TypeVar("T")


class FileApi(Protocol):
    """The calls to Windows. They raise OSError with ``winerror``; none follows a link or another reparse point."""

    def account(self) -> Account: ...

    def create_directory(self, path: Path, sddl: str) -> None: ...

    def create_file(self, path: Path, sddl: str, *, is_new: bool) -> int:
        """A descriptor to read and write. is_new: FileExistsError if there is one; else what is there stays."""

    def open_file(self, path: Path) -> int:
        """A descriptor to read a file, or a directory to look at."""

    def security(self, path: Path) -> FileSecurity: ...

    def security_of(self, descriptor: int) -> FileSecurity: ...

    def set_security(self, path: Path, sddl: str) -> None:
        """Owner (if the text has one) and list of rights, protected."""

    def close(self, descriptor: int) -> None: ...

    def rename(self, source: Path, target: Path, *, replace: bool) -> None:
        """Atomic, and on disk before it returns."""


class WindowsFiles:
    """See FileSystem. pause, now: replaced where time is the test's."""

    def __init__(
        self, api: FileApi, pause: Callable[[float], None] = time.sleep, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._api = api
        self._pause = pause
        self._now = now
        self._account: Account | None = None

    @property
    def account(self) -> Account:
        """Asked for once: a process keeps its user."""
        if self._account is None:
            self._account = self._api.account()
        return self._account

    def make_dir(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._api.create_directory(path, private_sddl(self.account, is_directory=True))
        except FileExistsError:
            self.secure_dir(path, check=False)

    def open_checked(self, path: Path) -> int:
        descriptor = self._patiently(lambda: self._api.open_file(path))
        try:
            self._check_file(path, self._api.security_of(descriptor))
            self._check_directory(path.parent)
        except BaseException:
            self._api.close(descriptor)
            raise
        return descriptor

    def open_new(self, path: Path) -> int:
        return self._api.create_file(path, private_sddl(self.account, is_directory=False), is_new=True)

    def open_lock(self, path: Path, *, create: bool) -> int:
        if not create:
            return self._patiently(lambda: self._api.open_file(path))
        sddl = private_sddl(self.account, is_directory=False)
        descriptor = self._patiently(lambda: self._api.create_file(path, sddl, is_new=False))
        try:
            found = self._api.security_of(descriptor)
            _refuse_link(path, found)
            self._check_owner(path, found)
        except BaseException:
            self._api.close(descriptor)
            raise
        return descriptor

    def replace(self, staged: Path, path: Path) -> None:
        _make_writable(path)
        self._patiently(lambda: self._api.rename(staged, path, replace=True))

    def put_new(self, staged: Path, path: Path) -> None:
        self._patiently(lambda: self._api.rename(staged, path, replace=False))

    def remove(self, path: Path) -> None:
        _make_writable(path)
        self._patiently(path.unlink)

    def sync_dir(self, path: Path) -> None:
        """A directory cannot be flushed here: renames are written through, and NTFS keeps its changes in order."""

    def secure_dir(self, path: Path, *, check: bool) -> bool:
        found = self._checked_dir(path)
        if is_exactly_private(found, self.account):
            return False
        return self._set(path, private_sddl(self.account, is_directory=True), check=check)

    def secure_file(self, path: Path, *, check: bool) -> bool:
        found = self._api.security(path)
        _refuse_link(path, found)
        if found.is_directory:
            raise RefusedError("this must be a regular file", path=str(path))
        self._check_owner(path, found)
        if is_exactly_private(found, self.account):
            return False
        return self._set(path, private_sddl(self.account, is_directory=False), check=check)

    def secure_program_dir(self, path: Path, *, check: bool) -> bool:
        if is_safe_program_dir(self._checked_dir(path), self.account):
            return False
        return self._set(path, program_sddl(self.account), check=check)

    def _set(self, path: Path, sddl: str, *, check: bool) -> bool:
        if not check:
            self._api.set_security(path, sddl)
        return True

    def _checked_dir(self, path: Path) -> FileSecurity:
        found = self._api.security(path)
        if found.is_reparse_point or not found.is_directory:
            raise RefusedError("this must be a directory of its own, not a link or a file", path=str(path))
        self._check_owner(path, found)
        return found

    def _check_file(self, path: Path, found: FileSecurity) -> None:
        _refuse_link(path, found)
        if found.is_directory:
            raise RefusedError("this must be a regular file", path=str(path))
        self._check_owner(path, found)
        if may_be_read_by_others(found, self.account):
            raise RefusedError(
                "others may read this secret file",
                path=str(path),
                hint="if nobody has read it: wirefleet-agent secure",
            )

    def _check_directory(self, path: Path) -> None:
        """Whoever may write to the directory may replace the file."""
        found = self._checked_dir(path)
        if may_be_replaced_by_others(found, self.account):
            raise RefusedError(
                "others may replace files in this directory", path=str(path), hint="wirefleet-agent secure"
            )

    def _check_owner(self, path: Path, found: FileSecurity) -> None:
        stranger = foreign_owner(found, self.account)
        if stranger is not None:
            raise RefusedError(
                f"this belongs to {stranger}",
                path=str(path),
                hint="only SYSTEM, Administrators or our own user may own it: icacls FILE /setowner *S-1-5-32-544",
            )

    def _patiently(self, act: Callable[[], T]) -> T:
        """Try again while another program has the file open, a second at most."""
        limit, pause_s = self._now() + _RETRY_FOR_S, _FIRST_PAUSE_S
        while True:
            try:
                return act()
            except OSError as error:
                if getattr(error, "winerror", None) not in _BUSY or self._now() >= limit:
                    raise
            self._pause(pause_s)
            pause_s = min(2 * pause_s, _LAST_PAUSE_S)


def _refuse_link(path: Path, found: FileSecurity) -> None:
    if found.is_reparse_point:
        raise RefusedError("this must be a file, not a symbolic link or another reparse point", path=str(path))


def _make_writable(path: Path) -> None:
    """The read-only attribute is no protection here, and Windows would refuse to replace or remove such a file."""
    try:
        if not path.lstat().st_mode & stat.S_IWRITE:
            path.chmod(stat.S_IREAD | stat.S_IWRITE)
    except FileNotFoundError:
        pass
