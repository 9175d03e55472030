# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Installed versions of the agent, side by side; one pointer says which one counts.

``releases/<name>/`` is complete and never changed after it appeared (the installer renames it into place). ``current``
and ``previous`` beside it are what the platform has for pointers (``release_pointers``). A release's name is the
agent's version; a second build of the same version is called ``<version>+<first 12 digits of its digest>``.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import RefusedError
from .file_lock import FileLock
from .paths import WINDOWS_LAYOUT, Paths
from .private_files import os_failure
from .release_pointers import FilePointers, LinkPointers, ReleasePointers

_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,99}")
_MIN_DIGEST_DIGITS = 8


@dataclass(frozen=True)
class Release:
    """version: the release's name. digest: SHA-256 of the manifest of the bundle that it came from."""

    version: str
    digest: str
    active: bool


@dataclass(frozen=True)
class ReleaseList:
    current: str | None
    previous: str | None
    releases: tuple[Release, ...]


@dataclass(frozen=True)
class ReleaseChange:
    changed: bool
    current: str
    previous: str | None


class ReleaseStore:
    """The releases below one root."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._pointers: ReleasePointers = FilePointers() if paths.layout is WINDOWS_LAYOUT else LinkPointers()

    def list(self) -> ReleaseList:
        """Complete releases only, sorted by name; what an interrupted installation left is not shown."""
        current, previous = self._target("current"), self._target("previous")
        found = sorted(path.name for path in self._paths.release_dir.glob("*") if _NAME.fullmatch(path.name))
        digests = {name: self._digest(name) for name in found}
        releases = (Release(name, digest, name == current) for name, digest in digests.items() if digest is not None)
        return ReleaseList(current, previous, tuple(releases))

    def pointed(self) -> str | None:
        """The name that ``current`` holds, whether there is such a release or not."""
        return self._pointers.read(self._paths.opt_dir / "current")

    def activate(self, wanted: str, *, check: bool = False) -> ReleaseChange:
        """Point ``current`` at a release, by name or by the first digits of its digest. Running daemons keep theirs.

        Raises RefusedError for an unknown, ambiguous or broken release.
        """
        name = self._resolve(wanted)
        if check:
            return self._switched(name, self._target("current"), self._target("previous"))
        with FileLock(self._paths.run_dir / "releases.lock"):
            current, previous = self._target("current"), self._target("previous")
            change = self._switched(name, current, previous)
            if change.changed:
                if current is not None:
                    self._point("previous", current)
                self._point("current", name)
            return change

    def rollback(self, *, check: bool = False) -> ReleaseChange:
        """Back to the release before the last switch. Raises RefusedError if there is none."""
        previous = self._target("previous")
        if previous is None or previous == self._target("current"):
            raise RefusedError("there is no previous release to go back to", path=str(self._paths.opt_dir / "previous"))
        return self.activate(previous, check=check)

    def running(self, prefix: Path) -> str | None:
        """The release that a process with this ``sys.prefix`` runs; None if it does not come from one."""
        return prefix.name if prefix.parent.resolve() == self._paths.release_dir.resolve() else None

    @staticmethod
    def _switched(name: str, current: str | None, previous: str | None) -> ReleaseChange:
        if name == current:
            return ReleaseChange(False, name, previous)
        return ReleaseChange(True, name, current or previous)

    def _resolve(self, wanted: str) -> str:
        releases = self.list().releases
        if any(release.version == wanted for release in releases):
            return wanted
        by_digest = [release.version for release in releases if release.digest.startswith(wanted)]
        if len(by_digest) == 1 and len(wanted) >= _MIN_DIGEST_DIGITS:
            return by_digest[0]
        where = self._paths.release_dir / wanted if _NAME.fullmatch(wanted) else self._paths.release_dir
        if where != self._paths.release_dir and where.exists():
            raise RefusedError("this release is incomplete", path=str(where), hint="install its bundle again")
        known = ", ".join(release.version for release in releases) or "none"
        raise RefusedError(f"there is no release {wanted!r}", path=str(where), hint=f"installed: {known}")

    def _digest(self, name: str) -> str | None:
        """None for what is not a complete release."""
        home = self._paths.release_dir / name
        if not os.access(home / self._pointers.command, os.X_OK):
            return None
        try:
            record = json.loads((home / "release.json").read_text(encoding="utf-8"))
            return str(record["digest"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _target(self, pointer: str) -> str | None:
        name = self._pointers.read(self._paths.opt_dir / pointer)
        is_there = name is not None and _NAME.fullmatch(name) and (self._paths.release_dir / name).is_dir()
        return name if is_there else None

    def _point(self, pointer: str, name: str) -> None:
        path = self._paths.opt_dir / pointer
        try:
            self._pointers.write(path, name)
        except OSError as error:
            raise os_failure("point", path, error) from error
