# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The agent's source: its version, what it needs, what it consists of, and its wheel."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from wirefleet_bundle.errors import BundleError, UsageError

from .programs import run_pip

# The oldest date that a zip file can hold: what is built does not depend on when.
_EPOCH = "315532800"


class AgentSource:
    """The agent's folder of a checkout."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        self.version: str = project["version"]
        self.requirements: tuple[str, ...] = tuple(project["dependencies"])
        self._extras: dict[str, list[str]] = project.get("optional-dependencies", {})

    def requirements_of(self, extras: Sequence[str]) -> tuple[str, ...]:
        """What the agent needs with these extras besides. Raises UsageError for one that it does not have."""
        unknown = sorted(set(extras) - self._extras.keys())
        if unknown:
            raise UsageError(f"the agent has no extra {', '.join(unknown)}", hint=f"it has {', '.join(self._extras)}")
        return (*self.requirements, *(requirement for extra in extras for requirement in self._extras[extra]))

    def fingerprint(self, platform: str, pythons: tuple[str, ...]) -> str:
        """SHA-256 over everything that the bundle depends on: files with their names, platform, Python versions."""
        digest = hashlib.sha256("\0".join((platform, *pythons)).encode())
        for path in (*self._package_files(), *self._bundle_files()):
            content = path.read_bytes()
            digest.update(f"\0{path.relative_to(self._folder)}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()

    def build_wheel(self, cache: Path, backend: Path) -> Path:
        """The agent's wheel, built from a copy: the checkout is not written to. backend: where setuptools lies."""
        target = cache / "agent"
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="wirefleet-build-") as temporary:
            copy, wheels = Path(temporary) / "agent", Path(temporary) / "wheels"
            for path in self._package_files():
                place = copy / path.relative_to(self._folder)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, place)
                place.chmod(0o644)
            environment = {"PYTHONPATH": str(backend), "SOURCE_DATE_EPOCH": _EPOCH}
            arguments = [
                "wheel",
                "--no-deps",
                "--no-index",
                "--no-build-isolation",
                "--wheel-dir",
                str(wheels),
                str(copy),
            ]
            run_pip(arguments, environment, "building the agent's wheel")
            found = sorted(wheels.glob("*.whl"))
            if len(found) != 1:
                raise BundleError("the agent's wheel was not built", path=str(self._folder))
            staged = target / f".{os.getpid()}.{found[0].name}"
            shutil.copyfile(found[0], staged)
            return staged.replace(target / found[0].name)

    def _package_files(self) -> Iterator[Path]:
        for name in ("LICENSE", "README.md", "pyproject.toml"):
            if (self._folder / name).is_file():
                yield self._folder / name
        yield from _files(self._folder / "src/wirefleet_agent")

    def _bundle_files(self) -> Iterator[Path]:
        yield from _files(self._folder / "bundle")


def _files(folder: Path) -> list[Path]:
    """Without what tools leave behind: caches and hidden files."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in files if not _is_left_behind(path.relative_to(folder)))


def _is_left_behind(path: Path) -> bool:
    return path.suffix == ".pyc" or any(part.startswith(".") or part == "__pycache__" for part in path.parts)
