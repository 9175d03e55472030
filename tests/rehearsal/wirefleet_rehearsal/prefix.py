# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wine prefixes: the machine's disk. A template is made once; a host's prefix is a copy of it, one second and 13 MB."""

from __future__ import annotations

import filecmp
import os
import re
import shutil
import subprocess
from pathlib import Path

from .cache import COMMAND_TIMEOUT_S, RehearsalError, file_sums, product, run
from .windows_python import unpacked
from .winelib import build_dlls

WINE = Path("/usr/lib/wine/wine64")
WINESERVER = Path("/usr/lib/wine/wineserver64")
_WINE_DLLS = Path("/usr/lib/x86_64-linux-gnu/wine/x86_64-windows")
# No Mono, no Gecko; wintun.dll, wherever it is loaded from, is the stand-in in WINEDLLPATH.
# Wine finds by WINEDLLPATH what has a PE file of the same name, and this one by its whole name where programs look.
_BY_FILE_NAME = ("wfiphlp.dll.so",)
_OVERRIDES = "mscoree,mshtml=;wintun=b"

_ENVIRONMENT = """\
export WINEPREFIX='{prefix}' WINEARCH=win64 WINEDEBUG=${{WINEDEBUG:--all}} LC_ALL=C.UTF-8
export WINEDLLOVERRIDES='{overrides}' WINEDLLPATH='{dlls}'
unset DISPLAY WAYLAND_DISPLAY
"""
# A wineserver that a command starts would keep that command's pipes open, so it is started first, by itself.
_BOOT = """\
#!/bin/bash
# Power on: a wineserver that stays, then the services that start by themselves.
. '{prefix}/wenv'
taskset -c {cpu} '{wineserver}' -p </dev/null >/dev/null 2>&1
exec taskset -c {cpu} '{wine}' wineboot.exe </dev/null >/dev/null 2>&1
"""
# python311.dll ends at once when its standard output is a regular file, so both streams go through pipes.
_EXEC = """\
#!/bin/bash
# Run one Windows command line; its streams stay apart and its exit code is returned.
. '{prefix}/wenv'
set -o pipefail
exec 4>&1
{{ taskset -c {cpu} '{wine}' "$@" 2>&3 3>&- 4>&- | cat >&4; }} 3>&1 | cat >&2
"""
# The host has no Python of its own: this one lies outside its disk, and only the stand-ins use it.
_PYTHON = """\
#!/bin/bash
# Run a Windows Python program as the stand-ins do.
exec '{prefix}/wexec' '{python}' "$@"
"""
_SHUTDOWN = """\
#!/bin/bash
# Power off; with -f at once. Wine's registry is written, but no service is told.
. '{prefix}/wenv'
[ "${{1:-}}" = -f ] || timeout 20 taskset -c {cpu} '{wine}' wineboot.exe -e -f </dev/null >/dev/null 2>&1
'{wineserver}' -k </dev/null >/dev/null 2>&1
'{wineserver}' -w </dev/null >/dev/null 2>&1
"""
# Debian's wineserver makes a directory per session and writes its name into the prefix.
_SESSIONS = Path("/tmp")
_SESSION_NAME = re.compile(r"wine-[A-Za-z0-9]{6}")
_SCRIPTS = {"wenv": _ENVIRONMENT, "wboot": _BOOT, "wexec": _EXEC, "wpy": _PYTHON, "wshutdown": _SHUTDOWN}


def template() -> Path:
    """A prefix that says Windows 10 and has been booted once."""
    if not WINE.exists():
        raise RehearsalError(f"{WINE} is not there", "run scripts/setup.sh rehearsal")
    version = run([WINE, "--version"]).strip()
    return product("prefix", [version, *file_sums([Path(__file__)])], _make_template)


def _make_template(target: Path) -> None:
    environment = {**os.environ, "WINEPREFIX": str(target), "WINEARCH": "win64", "WINEDEBUG": "-all"}
    environment |= {"WINEDLLOVERRIDES": _OVERRIDES, "LC_ALL": "C.UTF-8", "DISPLAY": ""}
    for words in ([WINE, "wineboot.exe", "-i"], [WINE, "winecfg.exe", "-v", "win10"], [WINESERVER, "-w"]):
        subprocess.run(
            list(map(str, words)),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=COMMAND_TIMEOUT_S,
            check=True,
        )
    remove_session(target)
    _link_shared_dlls(target)


def remove_session(prefix: Path) -> None:
    """Remove the directory of the wineserver's socket, which no wineserver removes. Nothing may run in the prefix."""
    note = prefix / "wineserver"
    if not note.is_file():
        return
    name = note.read_text(encoding="ascii", errors="replace").strip()
    if _SESSION_NAME.fullmatch(name):
        shutil.rmtree(_SESSIONS / name, ignore_errors=True)
    note.unlink()


def _link_shared_dlls(prefix: Path) -> None:
    """700 MB of DLLs that are the same in every prefix become links to Wine's own."""
    shared = {path.name.lower(): path for path in _WINE_DLLS.iterdir()}
    for path in (prefix / "drive_c").rglob("*"):
        original = shared.get(path.name.lower())
        if original and path.is_file() and not path.is_symlink() and filecmp.cmp(path, original, shallow=False):
            path.unlink()
            path.symlink_to(original)


def _link_ip_helper(prefix: Path) -> None:
    """The stand-in that wine/runtime/sitecustomize.py loads by its name; services do not know WINEDLLPATH."""
    link = prefix / "drive_c/windows/system32/wfiphlp.dll.so"
    link.unlink(missing_ok=True)
    link.symlink_to(build_dlls() / link.name)


def make_prefix(prefix: Path, cpu: int) -> None:
    """A new disk with the commands wboot, wexec, wpy and wshutdown in it.

    cpu: the processor of all its Windows processes. Every call of Windows is a round trip to the wineserver, which
    costs 10 us on one processor and 130 us between two.
    """
    if not (prefix / "system.reg").exists():
        shutil.rmtree(prefix, ignore_errors=True)
        prefix.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(template(), prefix, symlinks=True)
    values = {
        "prefix": prefix, "cpu": cpu, "wine": WINE, "wineserver": WINESERVER, "overrides": _OVERRIDES,
        "dlls": build_dlls(),
        "python": "Z:" + str(unpacked() / "python.exe").replace("/", "\\"),
    }  # fmt: skip
    _link_ip_helper(prefix)
    for stand_in in _BY_FILE_NAME:
        link = prefix / "drive_c" / "windows" / "system32" / stand_in
        link.unlink(missing_ok=True)
        link.symlink_to(build_dlls() / stand_in)
    for name, text in _SCRIPTS.items():
        (prefix / name).write_text(text.format_map(values))
        (prefix / name).chmod(0o755)
