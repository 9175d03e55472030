# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Locks that the kernel releases when their holder dies, on a file that stays."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import RefusedError
from .private_files import files, make_private_dir, os_failure

if sys.platform == "win32":
    from .win32.locks import is_locked, try_lock
else:
    from .file_lock_posix import has_open, is_locked, try_lock

_POLL_S = 0.02
_PID_BYTES = 32


class FileLock:
    """An exclusive lock whose file tells who holds it (a process id). The file is never removed: that would race."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1

    @property
    def is_held(self) -> bool:
        """By this object."""
        return self._descriptor >= 0

    def try_acquire(self) -> bool:
        """False if another process has it. Raises DriverError, RefusedError."""
        if self.is_held:
            return True
        make_private_dir(self.path.parent)
        try:
            descriptor = files.open_lock(self.path, create=True)
        except OSError as error:
            raise os_failure("open", self.path, error) from error
        try:
            if not try_lock(descriptor):
                os.close(descriptor)
                return False
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        except OSError as error:
            os.close(descriptor)
            raise os_failure("lock", self.path, error) from error
        self._descriptor = descriptor
        return True

    def acquire(self, timeout_s: float) -> None:
        """Wait for it; raises RefusedError when the time is up."""
        limit = time.monotonic() + timeout_s
        while not self.try_acquire():
            if time.monotonic() >= limit:
                raise RefusedError(
                    f"process {self.holder() or '?'} is at work on this", path=str(self.path), hint="try again later"
                )
            time.sleep(_POLL_S)

    def release(self) -> None:
        """Idempotent."""
        if self.is_held:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1

    def holder(self) -> int | None:
        """The process that holds the lock now; None if nobody does. Nothing is created."""
        try:
            descriptor = files.open_lock(self.path, create=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise os_failure("open", self.path, error) from error
        try:
            if not is_locked(descriptor):
                return None
            text = os.read(descriptor, _PID_BYTES).decode("ascii", "replace").strip()
            return int(text) if text.isdecimal() else None
        finally:
            os.close(descriptor)

    if sys.platform != "win32":  # there the service manager knows the process and ends it; nobody signals by number

        def is_open_in(self, pid: int) -> bool:
            """Whether that process has the lock's file open: proof that the number in it is not a stale one."""
            return has_open(pid, self.path)

    def __enter__(self) -> Self:
        if not self.is_held:
            self.acquire(10.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
