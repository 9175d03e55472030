# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are either old or new, never half: written beside, then renamed into place."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

DEFAULT_MODE = 0o644


def write_atomically(path: Path, content: bytes, *, mode: int | None = None, is_durable: bool = True) -> None:
    """Replace a file. mode None keeps the mode of the old file, or takes 0644 less the umask.

    A symbolic link stays; the file it names is replaced. is_durable: survive a power failure right afterwards.
    Raises OSError; the old file is untouched then.
    """
    target = Path(os.path.realpath(path))
    if mode is None:
        with contextlib.suppress(FileNotFoundError):
            mode = target.stat().st_mode & 0o777
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    descriptor = os.open(
        beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, DEFAULT_MODE if mode is None else mode
    )
    try:
        with os.fdopen(descriptor, "wb") as stream:
            if mode is not None:
                os.fchmod(descriptor, mode)
            stream.write(content)
            if is_durable:
                stream.flush()
                os.fsync(descriptor)
        beside.replace(target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
        raise


def read_if_present(path: Path, limit_bytes: int) -> bytes | None:
    """A file's bytes, None if there is no such file. Raises OSError, also for a file beyond the limit."""
    try:
        with path.open("rb") as stream:
            content = stream.read(limit_bytes + 1)
    except FileNotFoundError:
        return None
    if len(content) > limit_bytes:
        raise OSError(f"the file is larger than {limit_bytes} bytes")
    return content
