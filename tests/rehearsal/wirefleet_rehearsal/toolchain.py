# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Windows host of another kind: with Python, pytest and the agent's packages, for the agent's own tests."""

from __future__ import annotations

import shutil
from pathlib import Path

from .cache import CHECKOUT, file_sums, product
from .host import WineHost
from .wheels import BUILT, CONSTRAINTS, TOOLCHAIN, install_toolchain
from .windows_python import runtime, unpack

PYTHON = "C:\\Toolchain\\python.exe"


def _python_home() -> Path:
    """The runtime with the packages, built once."""
    _archive, digest = runtime()
    made_from = [digest, *TOOLCHAIN, *BUILT, *file_sums([CONSTRAINTS, Path(__file__)])]
    return product("toolchain", made_from, _build)


def _build(target: Path) -> None:
    unpack(target)
    packages = target / "Lib" / "site-packages"
    install_toolchain(packages)
    # As pywin32's own installer does: its DLLs where every process finds them, its modules on the path.
    for dll in (packages / "pywin32_system32").glob("*.dll"):
        shutil.copy2(dll, target)
    paths = ["python311.zip", ".", *(f"Lib\\site-packages{below}" for below in ("", "\\win32", "\\win32\\lib"))]
    (target / "python311._pth").write_text("\n".join([*paths, "import site", ""]))


def install(host: WineHost) -> None:
    """Put the toolchain on the host's disk; its Python, and every one that it starts, finds this checkout's agent."""
    target = host.drive_c / "Toolchain"
    if not target.exists():
        shutil.copytree(_python_home(), target)
        with (target / "python311._pth").open("a") as paths:
            paths.write(windows_path(CHECKOUT / "agent" / "src") + "\n")


def windows_path(path: Path) -> str:
    """The Windows name of a Linux file: drive Z: is the root directory."""
    return "Z:" + str(path).replace("/", "\\")
