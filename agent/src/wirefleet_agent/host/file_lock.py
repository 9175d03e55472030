# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Locks that the kernel releases when their holder dies: flock(2) on a file that stays."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import RefusedError
from .private_files import make_private_dir, os_failure

_POLL_S = 0.02


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
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise os_failure("open", self.path, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            os.close(descriptor)
            return False
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
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise os_failure("open", self.path, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            return int(text) if text.isdecimal() else None
        finally:
            os.close(descriptor)
        return None

    def is_open_in(self, pid: int) -> bool:
        """Whether that process has the lock's file open: proof that the number in the file is not a stale one."""
        try:
            ours = self.path.stat()
            descriptors = list(Path(f"/proc/{pid}/fd").iterdir())
        except OSError:
            return False
        for descriptor in descriptors:
            with contextlib.suppress(OSError):
                if os.path.samestat(descriptor.stat(), ours):
                    return True
        return False

    def __enter__(self) -> Self:
        if not self.is_held:
            self.acquire(10.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
