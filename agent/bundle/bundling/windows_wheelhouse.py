# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The packages beside the agent for Windows, each pinned by version and by the hashes of its files.

pip evaluates markers for the machine it runs on, which is not Windows: it would leave out what only Windows needs and
take what only Linux needs. So nothing is resolved here; ``windows-requirements.txt`` names everything, and
``lock_windows.py`` makes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from wirefleet_bundle.errors import BundleError, UsageError

from .cache import Cache
from .programs import run_pip
from .wheelhouse import unpacked, wheels_in

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
INSTALLER = "installer"
BACKEND = "setuptools"
WINTUN_SOURCE = "pytun-pmd3"
"""Ships the signed wintun.dll; nothing else of it is used."""
NOT_INSTALLED = frozenset((INSTALLER, BACKEND, WINTUN_SOURCE))
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)
_MARKERS = {"": True, "sys_platform=='win32'": True, "sys_platform=='linux'": False}


class WindowsWheelhouse:
    """Wheels from the cache, or from the package index. Raises UsageError if the lock lacks a requirement."""

    def __init__(self, cache: Path, platform: str, requirements: tuple[str, ...], lock: Path) -> None:
        self._cache = Cache(cache)
        self._platform = platform
        self._lock = lock
        self._pins = lock.read_text(encoding="utf-8")
        pinned = {normalized(name) for name in _PIN.findall(self._pins)}
        missing = sorted({*needed_on_windows(requirements), *NOT_INSTALLED} - pinned)
        if missing:
            raise UsageError(f"{missing[0]} is not pinned for Windows", path=str(lock), hint="make lock-windows")

    def wheels_for(self, python: str) -> dict[str, Path]:
        """Everything that is pinned, by normalized name. Raises BundleError."""
        if python not in PYTHONS:
            raise UsageError(
                f"packages for Python {python} on Windows are not pinned", hint=f"take one of {', '.join(PYTHONS)}"
            )

        def download(folder: Path) -> None:
            fixed = ["download", "--no-deps", "--require-hashes", "--requirement", str(self._lock)]
            run_pip(
                [*fixed, "--dest", str(folder), *wheel_tags(self._platform, python)], {}, "downloading the packages"
            )

        folder = self._cache.folder_for("wheels", [self._platform, python, self._pins], download)
        wheels = {normalized(wheel.name.split("-")[0]): wheel for wheel in wheels_in(folder, "packages for Windows")}
        if not wheels.keys() >= NOT_INSTALLED:
            raise BundleError("the cache is incomplete", path=str(folder), hint="remove that folder")
        return wheels

    def build_backend(self, wheels: Mapping[str, Path]) -> Path:
        """A folder with setuptools to build the agent's wheel with."""
        return unpacked(self._cache, wheels[BACKEND])


def wheel_tags(platform: str, python: str) -> list[str]:
    """pip's arguments for exactly the files that this platform and CPython can take."""
    abi = f"cp{python.replace('.', '')}"
    target = ["--platform", platform, "--python-version", python, "--implementation", "cp", "--abi", abi]
    return [*target, "--only-binary=:all:"]


def needed_on_windows(requirements: tuple[str, ...]) -> set[str]:
    """Normalized names of the requirements that hold there. Raises BundleError for a marker that we cannot judge."""
    needed = set()
    for requirement in requirements:
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        marker = requirement.partition(";")[2].replace(" ", "").replace('"', "'")
        if name is None or marker not in _MARKERS:
            raise BundleError(f"cannot tell whether Windows needs {requirement!r}", path="agent/pyproject.toml")
        if _MARKERS[marker]:
            needed.add(normalized(name[0]))
    return needed


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
