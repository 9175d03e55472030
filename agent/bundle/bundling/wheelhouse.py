# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The packages beside the agent for Linux, exact versions, downloaded once per platform and Python version."""

from __future__ import annotations

import re
from pathlib import Path

from wirefleet_bundle.errors import BundleError, UsageError

from .cache import Cache
from .programs import run_pip

_PYTHON = re.compile(r"3\.[0-9]{1,2}")
_PLATFORM = re.compile(r"linux_(?P<machine>[a-z0-9_]+)")
# Newest first: what a Debian 11, an Ubuntu 20.04 or a RHEL 8 can run.
_MANYLINUX = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_24", "manylinux_2_17", "manylinux2014")


class Wheelhouse:
    """Wheels from the cache, or from the package index."""

    def __init__(self, cache: Path, platform: str, requirements: tuple[str, ...], constraints: Path) -> None:
        match = _PLATFORM.fullmatch(platform)
        if match is None:
            raise UsageError(
                f"{platform} is not a platform that bundles are built for",
                hint="for example linux_x86_64 or win_amd64",
            )
        self._cache = Cache(cache)
        self._machine = match["machine"]
        self._requirements = requirements
        self._constraints = constraints

    def wheels_for(self, python: str) -> tuple[Path, ...]:
        """The packages that the agent needs under this Python version. Raises BundleError."""
        if _PYTHON.fullmatch(python) is None:
            raise UsageError(f"{python} is not a Python version", hint="for example 3.11")
        tags = [argument for tag in _MANYLINUX for argument in ("--platform", f"{tag}_{self._machine}")]
        arguments = ["--python-version", python, "--implementation", "cp", *tags, *self._requirements]
        return self._downloaded(arguments, f"packages for Python {python}")

    def tool(self) -> Path:
        """PyPA's installer, which the bundle uses on the host."""
        return self._downloaded(["--no-deps", "installer"], "the installer")[0]

    def build_backend(self) -> Path:
        """A folder with setuptools to build the agent's wheel with."""
        return unpacked(self._cache, self._downloaded(["--no-deps", "setuptools"], "setuptools")[0])

    def _downloaded(self, arguments: list[str], what: str) -> tuple[Path, ...]:
        def download(folder: Path) -> None:
            # pip evaluates markers for the machine it runs on: a Linux controller for Linux hosts.
            fixed = ["download", "--only-binary=:all:", "--constraint", str(self._constraints), "--dest", str(folder)]
            run_pip([*fixed, *arguments], {}, f"downloading {what}")

        pins = self._constraints.read_text(encoding="utf-8")
        return wheels_in(self._cache.folder_for("wheels", [self._machine, *arguments, pins], download), what)


def wheels_in(folder: Path, what: str) -> tuple[Path, ...]:
    """Raises BundleError for a folder of the cache that somebody emptied."""
    wheels = tuple(sorted(folder.glob("*.whl")))
    if not wheels:
        raise BundleError(f"there are no {what} in the cache", path=str(folder), hint="remove that folder")
    return wheels


def unpacked(cache: Cache, wheel: Path) -> Path:
    """A folder with the wheel's packages, to be put on PYTHONPATH."""

    def unpack(folder: Path) -> None:
        arguments = ["install", "--no-deps", "--no-index", "--no-compile", "--target", str(folder), str(wheel)]
        run_pip(arguments, {}, f"unpacking {wheel.name}")

    return cache.folder_for("backend", [wheel.parent.name, wheel.name], unpack)
