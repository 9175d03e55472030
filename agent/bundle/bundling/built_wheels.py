# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Wheels of the packages that are published as source only, each pinned by version and by the hash of its source.

The source is checked before anything of it runs, and built by the setuptools of the wheelhouse. What comes out must be
a wheel for any platform: nothing is compiled on the controller for other machines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from wirefleet_bundle.errors import BundleError

from .cache import Cache
from .programs import run_pip
from .wheelhouse import wheels_in

SOURCE_LOCK = Path(__file__).resolve().parent.parent / "source-requirements.txt"
# The oldest date that a zip file can hold: what is built does not depend on when.
_EPOCH = "315532800"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)
_FOR_ANYTHING = "-py3-none-any.whl"


def source_only(lock: Path = SOURCE_LOCK) -> frozenset[str]:
    """Normalized names of the packages that have to be built."""
    return frozenset(_normalized(name) for name in _PIN.findall(lock.read_text(encoding="utf-8")))


def published(requirements: Iterable[str]) -> tuple[str, ...]:
    """Those of the requirements for which the package index has wheels."""
    built = source_only()
    return tuple(each for each in requirements if _normalized(re.split(r"[^A-Za-z0-9._-]", each)[0]) not in built)


def built_wheels(cache: Path, backend: Path, lock: Path = SOURCE_LOCK) -> tuple[Path, ...]:
    """backend: where setuptools lies. Raises BundleError."""

    def build(folder: Path) -> None:
        arguments = ["wheel", "--no-deps", "--no-build-isolation", "--use-pep517", "--no-binary=:all:"]
        arguments += ["--require-hashes", "--requirement", str(lock), "--wheel-dir", str(folder)]
        environment = {"PYTHONPATH": str(backend), "SOURCE_DATE_EPOCH": _EPOCH}
        run_pip(arguments, environment, "building what is published as source only")

    key = [lock.read_text(encoding="utf-8"), backend.name]
    wheels = wheels_in(Cache(cache).folder_for("built", key, build), "wheels of packages that are built here")
    compiled = [wheel.name for wheel in wheels if not wheel.name.endswith(_FOR_ANYTHING)]
    if compiled or len(wheels) != len(source_only(lock)):
        raise BundleError(f"not one wheel for any platform each: {', '.join(wheel.name for wheel in wheels)}")
    return wheels


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
