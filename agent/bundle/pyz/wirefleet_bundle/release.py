# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A release directory: built beside the others, tried, renamed into place.

A virtual environment without pip, filled by PyPA's ``installer`` straight from the wheels: a third of the time of
``pip install``, and nothing is resolved or fetched. Byte code is made by the trial run, for exactly the modules that
the service imports: the service itself may have no right to write it.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import InstallFailed, InvalidBundle
from .host import require_fitting_host
from .manifest import Bundle

_COMMAND = "bin/wirefleet-agent"
_TRIAL = ("-I", "-m", "wirefleet_agent", "--json", "graph")
_TRIAL_TIMEOUT_S = 120
_NAME_DIGITS = 12
_KEPT = 5
Progress = Callable[[str], None]


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

    def __init__(self, bundle: Bundle, root: Path, progress: Progress) -> None:
        self._bundle = bundle
        self._root = root
        self._releases = root / "opt/wirefleet/releases"
        self._progress = progress

    def install(self, *, check: bool = False) -> Outcome:
        """The bundle's release exists afterwards. check: only say whether it does.

        Raises InvalidBundle and Refused before anything is touched, InstallFailed after all is cleaned up.
        """
        wheels = require_fitting_host(self._bundle.manifest)
        self._bundle.verify()
        if check:
            name, is_there = self._find()
            return self._outcome(name, changed=not is_there, activated=False)
        os.umask(0o022)
        try:
            self._releases.mkdir(parents=True, exist_ok=True)
            with self._locked():
                return self._install(wheels)
        except OSError as error:
            raise InstallFailed(f"{error.strerror or error}", path=error.filename or str(self._releases)) from error

    def _install(self, wheels: tuple[str, ...]) -> Outcome:
        self._remove_leftovers()
        name, is_there = self._find()
        if not is_there:
            staging = self._releases / f".staging-{secrets.token_hex(4)}"
            try:
                self._build(staging, self._releases / name, wheels, name)
                self._put_in_place(staging, self._releases / name)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
        is_first = not (self._releases.parent / "current").exists()
        if is_first:
            self._activate(name)
        self._prune(name)
        return self._outcome(name, changed=not is_there or is_first, activated=is_first)

    def _find(self) -> tuple[str, bool]:
        """The release's name and whether it is installed. A second build of one version gets a name of its own."""
        manifest = self._bundle.manifest
        found = {path.name: _digest_of(path) for path in self._releases.glob("*")} if self._releases.is_dir() else {}
        for name, digest in sorted(found.items()):
            if digest == manifest.digest:
                return name, True
        is_taken = found.get(manifest.version) is not None
        return (f"{manifest.version}+{manifest.digest[:_NAME_DIGITS]}" if is_taken else manifest.version), False

    def _build(self, staging: Path, final: Path, wheels: tuple[str, ...], name: str) -> None:
        self._progress(f"building release {name}")
        venv.EnvBuilder(with_pip=False, symlinks=True).create(staging)
        payload = staging / "payload"
        payload.mkdir()
        self._unpack(staging, final, payload, wheels)
        shutil.rmtree(payload)
        _tidy(staging)
        self._progress("trying it")
        self._try(staging)
        record = {"schema": 1, "version": name, "digest": self._bundle.manifest.digest}
        (staging / "release.json").write_text(json.dumps(record) + "\n", encoding="utf-8")

    def _unpack(self, staging: Path, final: Path, payload: Path, wheels: tuple[str, ...]) -> None:
        sys.path.insert(0, str(self._bundle.extract(self._bundle.manifest.tool, payload)))
        # By name, as it is only there once the bundle has been opened.
        install = importlib.import_module("installer").install
        destinations = importlib.import_module("installer.destinations")
        wheel_file = importlib.import_module("installer.sources").WheelFile
        paths = sysconfig.get_paths(scheme="venv", vars={"base": str(staging), "platbase": str(staging)})
        destination = destinations.SchemeDictionaryDestination(
            paths, interpreter=str(final / "bin/python"), script_kind="posix", bytecode_optimization_levels=()
        )
        for name in wheels:
            path = self._bundle.extract(name, payload)
            try:
                with wheel_file.open(path) as wheel:
                    _refuse_unsafe_members(name, wheel.dist_info_filenames + _member_names(path))
                    install(
                        source=wheel, destination=destination, additional_metadata={"INSTALLER": b"wirefleet-bundle\n"}
                    )
            except (ValueError, KeyError, AssertionError) as error:
                raise InvalidBundle(f"{name} is not a wheel that can be installed: {error}") from error
            path.unlink()

    def _try(self, staging: Path) -> None:
        """The new interpreter imports the whole service and builds its graph; byte code stays from it."""
        command = [str(staging / "bin/python"), *_TRIAL]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        try:
            trial = subprocess.run(
                command, capture_output=True, text=True, timeout=_TRIAL_TIMEOUT_S, check=False, env=environment, cwd="/"
            )
        except subprocess.TimeoutExpired as error:
            raise InstallFailed("the new release does not answer") from error
        if trial.returncode != 0 or not (staging / _COMMAND).is_file():
            said = (trial.stderr or trial.stdout).strip().splitlines()[-1:] or ["nothing"]
            raise InstallFailed(f"the new release does not run; it said: {said[0][:300]}")

    def _put_in_place(self, staging: Path, final: Path) -> None:
        """What bears the name already is incomplete: ``_find`` did not know it."""
        if self._root == Path("/"):
            os.sync()
        broken = self._releases / f".staging-{secrets.token_hex(4)}-broken"
        if final.exists():
            final.rename(broken)
        staging.rename(final)
        shutil.rmtree(broken, ignore_errors=True)

    def _activate(self, name: str) -> None:
        command = [
            str(self._releases / name / _COMMAND),
            "--root",
            str(self._root),
            "--json",
            "release",
            "activate",
            name,
        ]
        result = subprocess.run(command, capture_output=True, text=True, timeout=_TRIAL_TIMEOUT_S, check=False, cwd="/")
        if result.returncode != 0:
            raise InstallFailed(f"the new release could not be activated: {result.stdout.strip()[:300]}")

    def _prune(self, name: str) -> None:
        """Keep the newest few, and whatever is pointed at."""
        pointed = {link.resolve() for link in (self._releases.parent / "current", self._releases.parent / "previous")}
        complete = [path for path in self._releases.glob("[0-9A-Za-z]*") if _digest_of(path) is not None]
        newest_first = sorted(complete, key=lambda path: path.stat().st_mtime, reverse=True)
        for path in newest_first[_KEPT:]:
            if path.resolve() not in pointed and path.name != name:
                self._progress(f"removing old release {path.name}")
                shutil.rmtree(path, ignore_errors=True)

    def _remove_leftovers(self) -> None:
        """Nobody else installs while we hold the lock, so these are of the dead."""
        for path in self._releases.glob(".staging-*"):
            shutil.rmtree(path, ignore_errors=True)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._releases.parent / ".install.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _outcome(self, name: str, *, changed: bool, activated: bool) -> Outcome:
        return Outcome(changed, name, self._bundle.manifest.digest, self._releases / name, activated)


def _digest_of(release: Path) -> str | None:
    """None for what is not a complete release."""
    try:
        record = json.loads((release / "release.json").read_text(encoding="utf-8"))
        return str(record["digest"]) if os.access(release / _COMMAND, os.X_OK) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _tidy(home: Path) -> None:
    """Only our own commands are offered, the unit lies at one place for all Pythons, no path of the build stays."""
    for script in (home / "bin").iterdir():
        if not script.name.startswith(("python", "wirefleet-")):
            script.unlink()
    (home / "share").mkdir(exist_ok=True)
    for unit in home.glob("lib/python*/site-packages/wirefleet_agent/host/units/*.service"):
        shutil.copyfile(unit, home / "share" / unit.name)
    settings = home / "pyvenv.cfg"
    kept = [line for line in settings.read_text(encoding="utf-8").splitlines() if not line.startswith("command")]
    settings.write_text("\n".join(kept) + "\n", encoding="utf-8")


def _member_names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def _refuse_unsafe_members(wheel: str, members: list[str]) -> None:
    for member in members:
        if member.startswith("/") or "\\" in member or ".." in member.split("/"):
            raise InvalidBundle(f"{wheel} holds a path that leads out of the release: {member[:60]!r}")
