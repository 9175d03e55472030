# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""wintun.dll and its licence, out of the package that ships the signed files.

The prebuilt DLL may be passed on unchanged, beside software that uses only the interface in wintun.h, with its notices:
so its licence goes with it. Where it is loaded, the agent compares the sum again and has Windows check the signature.
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

from wirefleet_bundle.errors import BundleError

# The DLL's own resource says only 0.14.
VERSION = "0.14.1"
LICENSE_NAME = "Wintun Prebuilt Binaries License"
HOME = "https://www.wintun.net/"
_LICENSE = ("pytun_pmd3/wintun/LICENSE.txt", "183adac21e7d96c508c8fd34d394b7b6708bc81564ad1bad61ab66143a008cd2")
_DLL = {
    "win_amd64": (
        "pytun_pmd3/wintun/bin/amd64/wintun.dll",
        "e5da8447dc2c320edc0fc52fa01885c103de8c118481f683643cacc3220dafce",
    ),
    "win_arm64": (
        "pytun_pmd3/wintun/bin/arm64/wintun.dll",
        "f7ba89005544be9d85231a9e0d5f23b2d15b3311667e2dad0debd344918a3f80",
    ),
}


@dataclass(frozen=True)
class Wintun:
    """source: the wheel's name and the member that the DLL was."""

    dll: bytes
    sha256: str
    license_text: bytes
    source: str


def take_wintun(wheel: Path, platform: str) -> Wintun:
    """Raises BundleError if the wheel does not have exactly the pinned files."""
    member, sha256 = _DLL[platform]
    dll = _pinned(wheel, member, sha256)
    return Wintun(dll, sha256, _pinned(wheel, *_LICENSE), f"{wheel.name}!{member}")


def _pinned(wheel: Path, member: str, sha256: str) -> bytes:
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(member)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise BundleError(f"there is no {member} in the package that ships Wintun", path=str(wheel)) from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise BundleError(f"{member} is another file than the pinned one", path=str(wheel))
    return content
