# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Releases on Windows: copies of the bundle's Python runtime with the packages inside, text files as pointers.

No virtual environments, no symbolic links: each release is an interpreter of its own, which ``python3NN._pth`` tells
its search path. That file also makes it ignore the environment, the registry and the user's packages.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from .contents import Bundle
from .errors import InstallFailed, Refused
from .manifest import PAYLOAD, RUNTIME, SBOM, WINTUN, WINTUN_LICENSE
from .release import run_isolated
from .wheels import install_wheels

_INTERPRETER = "python.exe"
_SEARCH_PATH = re.compile(r"python3[0-9]+\._pth")
_PACKAGES = "Lib/site-packages"
# pywin32's own layout; on an ordinary Python its pywin32.pth says the same.
_PYWIN32 = ("win32", "win32/lib", "pythonwin")
_PYWIN32_DLLS = "pywin32_system32"
_COMPILED = ("wirefleet_agent", "win32/lib")
# Windows takes 259 characters; below the root we need 150.
_LONGEST_ROOT = 100
# A virus scanner or an indexer that has a new file open: ACCESS_DENIED, SHARING_VIOLATION, LOCK_VIOLATION.
_BUSY = (5, 32, 33)
_PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4)
_LOCK_PAUSE_S = 0.5
_LOCK_TRIES = 600


Start = Callable[[list[str], str], "subprocess.CompletedProcess[str]"]


class WindowsReleases:
    """A ReleaseHome. wait: sleeps. start: runs a command in a directory."""

    def __init__(self, root: Path, wait: Callable[[float], None] = time.sleep, start: Start = run_isolated) -> None:
        if len(str(root)) > _LONGEST_ROOT:
            raise Refused("the root directory's path is too long", path=str(root), hint=f"{_LONGEST_ROOT} characters")
        self.folder = root
        self._wait = wait
        self._start = start

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """The lock ends with the process that holds it, however that ends."""
        descriptor = os.open(self.folder / "releases/.install.lock", os.O_RDWR | os.O_CREAT)
        try:
            for _ in range(_LOCK_TRIES):
                if _lock(descriptor):
                    break
                self._wait(_LOCK_PAUSE_S)
            else:
                raise InstallFailed("another installation is running", path=str(self.folder))
            yield
        finally:
            os.close(descriptor)

    def fill(self, bundle: Bundle, wheels: tuple[str, ...], staging: Path, final: Path) -> None:
        names = [name.removeprefix(RUNTIME) for name in bundle.manifest.runtime_files()]
        for name in names:
            if _SEARCH_PATH.fullmatch(name) is None:
                bundle.extract(RUNTIME + name, staging / name)
        python = next(iter(bundle.manifest.wheels)).replace(".", "")
        search_path = _search_path(names, python)
        (staging / f"python{python}._pth").write_text(search_path, encoding="utf-8", newline="\r\n")
        self._add_packages(bundle, wheels, staging, final)
        bundle.extract(PAYLOAD + WINTUN, staging / WINTUN)
        bundle.extract(PAYLOAD + WINTUN_LICENSE, staging / WINTUN_LICENSE)
        bundle.extract(SBOM, staging / SBOM)
        compiled = [str(staging / _PACKAGES / name) for name in _COMPILED]
        self.run(staging, ("-I", "-m", "compileall", "-q", *compiled))

    def _add_packages(self, bundle: Bundle, wheels: tuple[str, ...], staging: Path, final: Path) -> None:
        packages, scratch = staging / _PACKAGES, staging / "payload"
        folders = {"purelib": packages, "platlib": packages, "data": staging / "data", "scripts": staging / "Scripts"}
        paths = {kind: str(folder) for kind, folder in folders.items()} | {"headers": str(staging / "data/include")}
        install_wheels(bundle, wheels, paths, final / _INTERPRETER, scratch)
        for leftover in (
            scratch,
            staging / "Scripts",
            staging / "data",
        ):  # the agent's command lies beside the releases
            shutil.rmtree(leftover, ignore_errors=True)
        for library in sorted((packages / _PYWIN32_DLLS).glob("*.dll")):
            shutil.copyfile(library, staging / library.name)

    def is_runnable(self, release: Path) -> bool:
        return (release / _INTERPRETER).is_file()

    def is_running(self, release: Path) -> bool:
        """Windows renames a directory whose programs run, but opens none of these for writing."""
        try:
            (release / _INTERPRETER).open("r+b").close()
        except OSError:
            return True
        return False

    def run(self, release: Path, words: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        """Not from inside the release: a working directory cannot be renamed."""
        return self._start([str(release / _INTERPRETER), *words], str(self.folder))

    def settle(self) -> None:
        """Flush the volume, which an administrator may. Best effort: nothing is known of a power cut's timing."""
        with contextlib.suppress(OSError):
            volume = os.open(f"\\\\.\\{self.folder.drive}", os.O_RDWR | getattr(os, "O_BINARY", 0))
            try:
                os.fsync(volume)
            finally:
                os.close(volume)

    def rename(self, source: Path, target: Path) -> None:
        self._patiently(lambda: source.rename(target))

    def pointed(self) -> set[str]:
        return {self._target("current"), self._target("previous")} - {""}

    def has_current(self) -> bool:
        name = self._target("current")
        return bool(name) and (self.folder / "releases" / name).is_dir()

    def _target(self, pointer: str) -> str:
        """ "" if there is none; the agent's own ``release activate`` writes it."""
        try:
            return (self.folder / pointer).read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            return ""

    def _patiently(self, act: Callable[[], object]) -> None:
        for pause_s in _PAUSES_S:
            try:
                act()
                return
            except PermissionError as error:
                if getattr(error, "winerror", None) not in _BUSY:
                    raise
            self._wait(pause_s)
        act()


def _search_path(runtime: list[str], python: str) -> str:
    """The ``._pth`` file: the runtime's own parts, the packages, and ``site`` for what packages bring themselves."""
    library = f"python{python}.zip"
    own = [library] if library in runtime else ["Lib", "DLLs"]
    packages = [_PACKAGES, *(f"{_PACKAGES}/{name}" for name in _PYWIN32)]
    return "\n".join([*own, ".", *(path.replace("/", "\\") for path in packages), "import site", ""])


def _lock(descriptor: int) -> bool:
    """False if another process holds it. Elsewhere than on Windows, where only tests come, it is always ours."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
    return True
