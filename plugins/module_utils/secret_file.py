# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file that holds one secret of 32 bytes in base64, as ``wg genkey`` and ``wg genpsk`` print it; mode 0600.

``SecretFile`` asks (``needs_*``) and acts (``write``, ``repair_mode``, ``remove``); check mode leaves the acts out.
"""

from __future__ import annotations

import stat
from pathlib import Path

from .atomic_files import read_if_present, write_atomically
from .key_text import decode_key, encode_key
from .problems import Problem, SecretFileError

MODE = 0o600
DIRECTORY_MODE = 0o700
_LIMIT_BYTES = 4096


class SecretFile:
    """One secret's file as it was when the object was made. what: "private key" or "preshared key".

    Raises SecretFileError, which never repeats the content, for a file that exists and holds no such key.
    """

    def __init__(self, path: str, what: str) -> None:
        self._path = Path(path)
        self._what = what
        self.raw: bytes | None = self._read()

    @property
    def exists(self) -> bool:
        return self.raw is not None

    @property
    def mode(self) -> int | None:
        """Permission bits, None if there is no file."""
        return stat.S_IMODE(self._path.stat().st_mode) if self.exists else None

    def needs_mode_repair(self) -> bool:
        """Whether others may get at an existing secret."""
        return self.exists and self.mode != MODE

    def write(self, raw: bytes) -> None:
        """Replace the secret; missing directories are made for the owner alone."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=DIRECTORY_MODE)
            write_atomically(self._path, f"{encode_key(raw)}\n".encode("ascii"), mode=MODE)
        except OSError as error:
            raise self._from_os(error) from error
        self.raw = raw

    def repair_mode(self) -> None:
        try:
            self._path.chmod(MODE)
        except OSError as error:
            raise self._from_os(error) from error

    def remove(self) -> None:
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise self._from_os(error) from error
        self.raw = None

    def _read(self) -> bytes | None:
        try:
            content = read_if_present(self._path, _LIMIT_BYTES)
        except OSError as error:
            raise self._from_os(error) from error
        if content is None:
            return None
        try:
            return decode_key(content.decode("ascii").strip(), self._what)
        except ValueError:
            message = f"the file holds no {self._what} (44 base64 characters)"
            hint = "check the path; the file is left as it is: remove it to have a new one made"
            raise SecretFileError(Problem(message, path=str(self._path), hint=hint)) from None

    def _from_os(self, error: OSError) -> SecretFileError:
        return SecretFileError(Problem(error.strerror or str(error), path=str(self._path)))
