# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A release directory: built beside the others, tried, renamed into place.

What is the same on every platform; ``ReleaseHome`` is what differs. Byte code is made while a release is built and
tried, for what the service imports: the service itself may have no right to write it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .contents import Bundle
from .errors import InstallFailed
from .host import Host, require_fitting_host, this_host
from .manifest import Manifest

Progress = Callable[[str], None]
AGENT = ("-I", "-m", "wirefleet_agent")
STAGING = ".staging-"
_TRIAL = ("--json", "graph")
_TIMEOUT_S = 300
_NAME_DIGITS = 12
_KEPT = 5


class ReleaseHome(Protocol):
    """Where one platform keeps releases, and how it builds, moves and removes them."""

    folder: Path
    """Holds ``releases``, ``current`` and ``previous``."""

    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Nobody else installs meanwhile. Raises InstallFailed, OSError."""

    def fill(self, bundle: Bundle, wheels: tuple[str, ...], staging: Path, final: Path) -> None:
        """Make ``staging`` a release that will be called ``final``, but for its record. Raises BundleError, OSError."""

    def is_runnable(self, release: Path) -> bool: ...

    def is_running(self, release: Path) -> bool:
        """Whether a process runs from it, as far as the platform tells and would let us take its files away."""

    def run(self, release: Path, words: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        """The release's interpreter with these words. Raises OSError, TimeoutExpired."""

    def settle(self) -> None:
        """What was written survives a power cut from now on, as far as the platform tells."""

    def rename(self, source: Path, target: Path) -> None: ...

    def pointed(self) -> set[str]:
        """The names of the releases that ``current`` and ``previous`` name."""

    def has_current(self) -> bool: ...


@dataclass(frozen=True)
class Outcome:
    """version: the release's name. activated: it became the current one, as there was none."""

    changed: bool
    version: str
    digest: str
    path: Path
    activated: bool


class ReleaseInstaller:
    """Installs one bundle below one root."""

    def __init__(
        self, bundle: Bundle, root: Path, home: ReleaseHome, progress: Progress, host: Host | None = None
    ) -> None:
        self._bundle = bundle
        self._root = root
        self._home = home
        self._releases = home.folder / "releases"
        self._progress = progress
        self._host = host or this_host()

    def install(self, *, check: bool = False) -> Outcome:
        """The bundle's release exists afterwards. check: only say whether it does.

        Raises InvalidBundle and Refused before anything is touched, InstallFailed after all is cleaned up.
        """
        wheels = require_fitting_host(self._bundle.manifest, self._host)
        self._bundle.verify()
        if check:
            name, is_there = self._find()
            return self._outcome(name, changed=not is_there, activated=False)
        os.umask(0o022)
        try:
            self._releases.mkdir(parents=True, exist_ok=True)
            with self._home.locked():
                return self._install(wheels)
        except OSError as error:
            raise InstallFailed(f"{error.strerror or error}", path=error.filename or str(self._releases)) from error

    def _install(self, wheels: tuple[str, ...]) -> Outcome:
        self._remove_leftovers()
        name, is_there = self._find()
        if not is_there:
            staging = self._releases / f"{STAGING}{secrets.token_hex(4)}"
            try:
                self._build(staging, self._releases / name, wheels, name)
                self._put_in_place(staging, self._releases / name)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
        is_first = not self._home.has_current()
        if is_first:
            self._activate(name)
        self._prune(name)
        return self._outcome(name, changed=not is_there or is_first, activated=is_first)

    def _find(self) -> tuple[str, bool]:
        """The release's name and whether it is installed. A second build of one version gets a name of its own."""
        manifest = self._bundle.manifest
        found = {path.name: self._digest_of(path) for path in self._complete_or_broken()}
        for name, digest in sorted(found.items()):
            if digest == manifest.digest:
                return name, True
        is_taken = found.get(manifest.version) is not None
        return (f"{manifest.version}+{manifest.digest[:_NAME_DIGITS]}" if is_taken else manifest.version), False

    def _build(self, staging: Path, final: Path, wheels: tuple[str, ...], name: str) -> None:
        self._progress(f"building release {name}")
        self._home.fill(self._bundle, wheels, staging, final)
        self._progress("trying it")
        self._try(staging)
        with (staging / "release.json").open("w", encoding="utf-8", newline="\n") as stream:
            stream.write(json.dumps(_record(name, self._bundle.manifest)) + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def _try(self, staging: Path) -> None:
        """The new interpreter imports the whole service and builds its graph; byte code stays from it."""
        try:
            trial = self._home.run(staging, (*AGENT, *_TRIAL))
        except subprocess.TimeoutExpired as error:
            raise InstallFailed("the new release does not answer") from error
        if trial.returncode != 0 or not self._home.is_runnable(staging):
            said = (trial.stderr or trial.stdout).strip().splitlines()[-2:] or ["nothing"]
            raise InstallFailed(f"the new release does not run; it said: {' '.join(said)[:400]}")

    def _put_in_place(self, staging: Path, final: Path) -> None:
        """What bears the name already is incomplete: ``_find`` did not know it."""
        self._home.settle()
        if final.exists():
            broken = self._releases / f"{STAGING}{secrets.token_hex(4)}-broken"
            self._home.rename(final, broken)
            shutil.rmtree(broken, ignore_errors=True)
        self._home.rename(staging, final)

    def _activate(self, name: str) -> None:
        words = (*AGENT, "--root", str(self._root), "--json", "release", "activate", name)
        result = self._home.run(self._releases / name, words)
        if result.returncode != 0:
            said = (result.stdout.strip() or result.stderr.strip())[:300]
            raise InstallFailed(f"the new release could not be activated: {said}")

    def _prune(self, name: str) -> None:
        """Keep the newest few, and whatever is pointed at or in use: what cannot be renamed stays whole."""
        kept = self._home.pointed() | {name}
        complete = [path for path in self._complete_or_broken() if self._digest_of(path) is not None]
        newest_first = sorted(complete, key=lambda path: path.stat().st_mtime, reverse=True)
        for path in newest_first[_KEPT:]:
            if path.name in kept or self._home.is_running(path):
                continue
            condemned = self._releases / f"{STAGING}{secrets.token_hex(4)}-old"
            with contextlib.suppress(OSError):
                path.rename(condemned)
                self._progress(f"removing old release {path.name}")
                shutil.rmtree(condemned, ignore_errors=True)

    def _remove_leftovers(self) -> None:
        """Nobody else installs while we hold the lock, so these are of the dead."""
        for path in self._releases.glob(f"{STAGING}*"):
            shutil.rmtree(path, ignore_errors=True)

    def _complete_or_broken(self) -> list[Path]:
        return list(self._releases.glob("[0-9A-Za-z]*")) if self._releases.is_dir() else []

    def _digest_of(self, release: Path) -> str | None:
        """None for what is not a complete release."""
        try:
            record = json.loads((release / "release.json").read_text(encoding="utf-8"))
            return str(record["digest"]) if self._home.is_runnable(release) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _outcome(self, name: str, *, changed: bool, activated: bool) -> Outcome:
        return Outcome(changed, name, self._bundle.manifest.digest, self._releases / name, activated)


def run_isolated(command: list[str], cwd: str) -> subprocess.CompletedProcess[str]:
    """A program of a release, without what our own environment tells Python; it says the cause of a failure."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment["WIREFLEET_DEBUG"] = "1"
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=_TIMEOUT_S,
        check=False,
        env=environment,
        cwd=cwd,
    )


def _record(name: str, manifest: Manifest) -> dict[str, object]:
    record: dict[str, object] = {"schema": 1, "version": name, "digest": manifest.digest}
    if manifest.windows is not None:
        record |= {"python": manifest.windows.python, "wintun_sha256": manifest.windows.wintun_sha256}
    return record
