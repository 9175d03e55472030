# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-ins that are compiled: winelib DLLs (ELF, Windows and Linux calls side by side) and PE files."""

from __future__ import annotations

import re
from pathlib import Path

from .cache import SOURCES, RehearsalError, file_sums, product, run

MINGW = "x86_64-w64-mingw32"
WINEGCC = "winegcc-stable"
# name of the DLL -> its folder below tests/rehearsal/wine and the libraries it is linked with
_DLLS = {
    "wintun": ("fakewintun", ["kernel32", "iphlpapi"]),
    "wfiphlp": ("iphelper", ["kernel32", "iphlpapi", "advapi32"]),
}
# Debian's binutils write the time of the build into PE files unless told not to.
_REPRODUCIBLE = ["-O2", "-s", "-Wl,--no-insert-timestamp"]


def build_dlls() -> Path:
    """The directory with <name>.dll.so of every stand-in; it is what WINEDLLPATH names."""
    sources = [SOURCES / folder for folder, _libraries in _DLLS.values()]
    return product("dlls", [*file_sums(sources), *file_sums([Path(__file__)])], _build_dlls)


def _build_dlls(target: Path) -> None:
    for name, (folder, libraries) in _DLLS.items():
        code = sorted((SOURCES / folder).glob("*.c"))
        run(
            [
                WINEGCC, "-m64", "-shared", "-O2", "-Wall", "-fPIC", "-o", target / f"{name}.dll",
                *code, SOURCES / folder / f"{name}.spec", *(f"-l{library}" for library in libraries),
            ]
        )  # fmt: skip


def build_interpreter(target: Path) -> None:
    """python.exe, pythonw.exe, python3.dll and bcryptprimitives.dll beside python311.dll in the target directory."""
    source = SOURCES / "python"
    resource = target / "python.res.o"
    run([f"{MINGW}-windres", "python.rc", resource], cwd=source)
    for name, options in (("python", []), ("pythonw", ["-mwindows"])):
        run(
            [
                f"{MINGW}-gcc", *_REPRODUCIBLE, "-municode", *options, "-o", target / f"{name}.exe",
                source / "python.c", resource, target / "python311.dll",
            ]
        )  # fmt: skip
    resource.unlink()
    run(
        [
            f"{MINGW}-gcc", *_REPRODUCIBLE, "-shared", "-o", target / "bcryptprimitives.dll",
            source / "bcryptprimitives.c", "-ladvapi32",
        ]
    )  # fmt: skip
    _build_stable_abi(target)


def _build_stable_abi(target: Path) -> None:
    """python3.dll, which abi3 modules import: every name of python311.dll, forwarded to it."""
    listing = run([f"{MINGW}-objdump", "-p", target / "python311.dll"])
    table = listing.partition("[Ordinal/Name Pointer] Table")[2]
    names = re.findall(r"^\s*\[\s*\d+\](?:\s*\+base\[\s*\d+\])?\s+(?:[0-9a-f]+ )?(\w+)\s*$", table, re.MULTILINE)
    if "PyModuleDef_Init" not in names:
        raise RehearsalError("python311.dll exports no PyModuleDef_Init: its export table was not understood")
    definition, code = target / "python3.def", target / "python3.c"
    definition.write_text("LIBRARY python3.dll\nEXPORTS\n" + "".join(f"  {n} = python311.{n}\n" for n in names))
    code.write_text("int no_code_of_its_own;\n")
    run(
        [
            f"{MINGW}-gcc", *_REPRODUCIBLE, "-shared", "-nostdlib", "-Wl,-e0", "-o", target / "python3.dll",
            code, definition,
        ]
    )  # fmt: skip
    definition.unlink()
    code.unlink()
