# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Small bundles for Windows: a runtime of a few bytes, an agent of a few lines, packed by the real builder."""

from __future__ import annotations

import hashlib
import importlib
import os
import struct
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from support.bundles import BUNDLE_FOLDER, make_wheel, tiny_agent, tool_wheel

windows_bundle = importlib.import_module("bundling.windows_bundle")
windows_runtime = importlib.import_module("bundling.windows_runtime")
windows_wheelhouse = importlib.import_module("bundling.windows_wheelhouse")
wintun = importlib.import_module("bundling.wintun")
sbom = importlib.import_module("bundling.sbom")
release = importlib.import_module("wirefleet_bundle.release")
release_windows = importlib.import_module("wirefleet_bundle.release_windows")

AMD64, ARM64, X86 = 0x8664, 0xAA64, 0x14C
TINY_AGENT = """
import sys
from pathlib import Path

def main():
    words = sys.argv[1:]
    if "activate" in words:
        Path(words[words.index("--root") + 1], "current").write_text(words[-1] + "\\r\\n")
    print("{}")
    return 0
"""


def image(machine: int = AMD64, version: tuple[int, int, int] | None = None) -> bytes:
    """The beginning of a PE file, with a version resource's fixed part."""
    header = b"MZ" + bytes(0x3A) + struct.pack("<I", 0x40) + struct.pack("<4sH", b"PE\0\0", machine)
    if version is None:
        return header
    major, minor, micro = version
    return header + b"\xbd\x04\xef\xfe" + bytes(4) + struct.pack("<4H", minor, major, 1013, micro * 1000 + 150)


def embeddable(number: int = 11, machine: int = AMD64) -> dict[str, bytes]:
    """The members of python.org's package, as far as they matter."""
    return {
        "python.exe": image(machine),
        f"python3{number}.dll": image(machine, (3, number, 9)),
        f"python3{number}.zip": b"standard library",
        f"python3{number}._pth": b"python3.zip\n.\n",
        "_ssl.pyd": image(machine),
    }


def nuget() -> dict[str, bytes]:
    return {
        "python.nuspec": b"<package/>",
        "tools/python.exe": image(),
        "tools/python311.dll": image(AMD64, (3, 11, 9)),
        "tools/Lib/os.py": b"import sys\n",
        "tools/Lib/site-packages/pip/__init__.py": b"",
        "tools/DLLs/_ssl.pyd": image(),
        "tools/include/Python.h": b"",
    }


def runtime_zip(folder: Path, members: Mapping[str, bytes] | None = None) -> tuple[Path, str]:
    """The archive and its sum."""
    path = folder / "runtime.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (embeddable() if members is None else members).items():
            archive.writestr(name, content)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def pywin32_wheel(folder: Path) -> Path:
    files = {
        "win32/lib/win32serviceutil.py": "x = 1\n",
        "pywin32_system32/pywintypes311.dll": "a library",
        "pywin32.pth": "win32\n",
    }
    return make_wheel(folder, "pywin32", files, version="312")


def make_windows_bundle(folder: Path, code: str = TINY_AGENT) -> Path:
    runtime = windows_runtime.read_runtime(runtime_zip(folder)[0], "win_amd64")
    dll = b"a signed library"
    parts = windows_bundle.WindowsParts(
        version="0.1.0",
        platform="win_amd64",
        inputs="inputs",
        agent_wheel=tiny_agent(folder, code),
        wheels={"pywin32": pywin32_wheel(folder), "installer": tool_wheel()},
        runtime=runtime,
        wintun=wintun.Wintun(dll, hashlib.sha256(dll).hexdigest(), b"its licence", "somewhere"),
    )
    path = folder / "wirefleet-agent-0.1.0-win_amd64.zip"
    windows_bundle.write_windows_bundle(path, BUNDLE_FOLDER / "pyz", parts)
    return path


def unpacked(bundle: Path, folder: Path) -> Path:
    """What the host's unzip makes of it; returns the installer in it."""
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(folder)
    return folder / "install.pyz"


def start_here(command: list[str], folder: str) -> subprocess.CompletedProcess[str]:
    """A release's interpreter, played by ours with the release's packages."""
    home = Path(command[0]).parent
    words = [word for word in command[1:] if word != "-I"]
    environment = {**os.environ, "PYTHONPATH": str(home / "Lib/site-packages")}
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=60, check=False, cwd=folder, env=environment
    )
