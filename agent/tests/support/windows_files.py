# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Stand-ins for Windows' calls about files and secrets that remember what they were asked; contents are real files."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from wirefleet_agent.host.access_windows import (
    ADMINISTRATORS,
    FULL_CONTROL,
    SYSTEM,
    Account,
    Entry,
    FileSecurity,
)

JOE = "S-1-5-21-1-2-3-1001"
EVE = "S-1-5-21-1-2-3-1002"
ADMIN_JOE = Account(JOE, ADMINISTRATORS, is_administrator=True)
FULL = Entry(0, 3, FULL_CONTROL, SYSTEM), Entry(0, 3, FULL_CONTROL, ADMINISTRATORS)
_ACE = re.compile(r"\(A;(\w*);(\w+);;;([\w-]+)\)")


def security_from(sddl: str, *, is_directory: bool) -> FileSecurity:
    """What is read back after such a descriptor was given. An owner that is not named is the user."""
    owner = re.match(r"O:(S[\d-]+)D:P", sddl)
    entries = tuple(
        Entry(0, 3 if flags == "OICI" else 0, FULL_CONTROL if mask == "FA" else int(mask, 16), sid)
        for flags, mask, sid in _ACE.findall(sddl)
    )
    return FileSecurity(owner[1] if owner else JOE, entries, is_directory, is_reparse_point=False)


def windows_error(code: int) -> Callable[[], OSError]:
    """Makes the error that Python raises there for this code; elsewhere its class does not follow from the code."""

    def make() -> OSError:
        error = PermissionError(13, f"Windows error {code}")
        error.winerror = code  # type: ignore[attr-defined]
        return error

    return make


@dataclass
class FakeFileApi:
    """Records. found: what a path has in place of what it was given; refusals: errors for the next calls of a kind."""

    user: Account = ADMIN_JOE
    found: dict[Path, FileSecurity] = field(default_factory=dict)
    refusals: dict[str, list[OSError]] = field(default_factory=dict)
    calls: list[tuple[str, Path]] = field(default_factory=list)
    _open: dict[int, Path] = field(default_factory=dict)

    def _called(self, call: str, path: Path) -> None:
        self.calls.append((call, path))
        if self.refusals.get(call):
            raise self.refusals[call].pop(0)

    def account(self) -> Account:
        return self.user

    def create_directory(self, path: Path, sddl: str) -> None:
        self._called("create_directory", path)
        path.mkdir()
        self.found[path] = security_from(sddl, is_directory=True)

    def create_file(self, path: Path, sddl: str, *, is_new: bool) -> int:
        self._called("create_file", path)
        is_there = path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | (os.O_EXCL if is_new else 0), 0o600)
        self._open[descriptor] = path
        if not is_there:
            self.found[path] = security_from(sddl, is_directory=False)
        return descriptor

    def open_file(self, path: Path) -> int:
        self._called("open_file", path)
        descriptor = os.open(path, os.O_RDONLY)
        self._open[descriptor] = path
        return descriptor

    def security(self, path: Path) -> FileSecurity:
        self._called("security", path)
        path.lstat()
        return self.found.get(path) or FileSecurity(ADMINISTRATORS, FULL, path.is_dir(), is_reparse_point=False)

    def security_of(self, descriptor: int) -> FileSecurity:
        return self.security(self._open[descriptor])

    def set_security(self, path: Path, sddl: str) -> None:
        self._called("set_security", path)
        self.found[path] = security_from(sddl, is_directory=path.is_dir())

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def rename(self, source: Path, target: Path, *, replace: bool) -> None:
        self._called("rename", target)
        if target.exists() and not replace:
            raise FileExistsError(17, "exists")
        source.replace(target)
        if source in self.found:
            self.found[target] = self.found.pop(source)


@dataclass
class FakeDpapi:
    """Two accounts on one machine, and copies of it elsewhere. Seals by the names of scope and entropy in the clear."""

    is_system: bool = False
    machine: str = "pc-1"
    calls: list[tuple[bytes, bool]] = field(default_factory=list)
    error: OSError | None = None

    def is_local_system(self) -> bool:
        return self.is_system

    def protect(self, secret: bytes, entropy: bytes, *, for_machine: bool) -> bytes:
        if self.error is not None:
            raise self.error
        self.calls.append((entropy, for_machine))
        return b"|".join((self._scope(for_machine=for_machine), entropy, secret[::-1]))

    def unprotect(self, sealed: bytes, entropy: bytes) -> bytes:
        scope, sealed_for, secret = sealed.split(b"|", 2)
        if scope not in (self._scope(for_machine=True), self._scope(for_machine=False)) or sealed_for != entropy:
            raise OSError(13, "The data is invalid.")
        return secret[::-1]

    def _scope(self, *, for_machine: bool) -> bytes:
        return f"{self.machine}/{'*' if for_machine else 'system' if self.is_system else 'joe'}".encode()
