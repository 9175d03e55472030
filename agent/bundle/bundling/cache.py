# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What was downloaded once, by what was asked for."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path


class Cache:
    """A folder: a complete download has a folder named after what was asked for; an aborted one has none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def folder_for(self, kind: str, key: Sequence[str], fill: Callable[[Path], None]) -> Path:
        """The folder of this key, filled by ``fill`` if it is not there yet."""
        folder = self._folder / kind / hashlib.sha256("\0".join(key).encode()).hexdigest()[:24]
        if folder.is_dir():
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=folder.parent))
        try:
            fill(staging)
            try:
                staging.rename(folder)
            except OSError:
                if not folder.is_dir():  # else somebody else was faster with the same content
                    raise
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        os.utime(folder)
        return folder
