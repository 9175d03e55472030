# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The packages beside the agent, exact versions, downloaded once per platform and Python version."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from wirefleet_bundle.errors import BundleError, UsageError

from .programs import run_pip

_PYTHON = re.compile(r"3\.[0-9]{1,2}")
_PLATFORM = re.compile(r"linux_(?P<machine>[a-z0-9_]+)")
# Newest first: what a Debian 11, an Ubuntu 20.04 or a RHEL 8 can run.
_MANYLINUX = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_24", "manylinux_2_17", "manylinux2014")


class Wheelhouse:
    """A cache folder: a complete download has a folder named after what was asked for; an aborted one has none."""

    def __init__(self, cache: Path, platform: str, requirements: tuple[str, ...], constraints: Path) -> None:
        match = _PLATFORM.fullmatch(platform)
        if match is None:
            raise UsageError(
                f"{platform} is not a platform that bundles are built for", hint="for example linux_x86_64"
            )
        self._cache = cache
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

        def unpack(folder: Path) -> None:
            wheel = self._downloaded(["--no-deps", "setuptools"], "setuptools")[0]
            run_pip(
                ["install", "--no-index", "--no-deps", "--target", str(folder), str(wheel)], {}, "unpacking setuptools"
            )

        return self._cached("backend", ["setuptools"], unpack)

    def _downloaded(self, arguments: list[str], what: str) -> tuple[Path, ...]:
        def download(folder: Path) -> None:
            # pip evaluates markers for the machine it runs on: a Linux controller for Linux hosts.
            fixed = ["download", "--only-binary=:all:", "--constraint", str(self._constraints), "--dest", str(folder)]
            run_pip([*fixed, *arguments], {}, f"downloading {what}")

        folder = self._cached("wheels", arguments, download)
        wheels = tuple(sorted(folder.glob("*.whl")))
        if not wheels:
            raise BundleError(f"there are no {what} in the cache", path=str(folder), hint="remove that folder")
        return wheels

    def _cached(self, kind: str, arguments: list[str], fill: Callable[[Path], None]) -> Path:
        pins = self._constraints.read_bytes()
        name = hashlib.sha256("\0".join((self._machine, *arguments)).encode() + b"\0" + pins).hexdigest()[:24]
        folder = self._cache / kind / name
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
