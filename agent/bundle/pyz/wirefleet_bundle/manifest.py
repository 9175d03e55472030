# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A bundle's manifest: what is inside, with sums, and which hosts it is for.

``manifest.json`` lists every other member of the bundle. Its own SHA-256 is the bundle's digest: two bundles with one
digest install the same release.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from .errors import InvalidBundle
from .names import colliding, why_unsafe

SCHEMA = 2
MANIFEST = "manifest.json"
PAYLOAD = "payload/"
RUNTIME = "runtime/"
SBOM = "sbom.cdx.json"
INSTALLER = "install.pyz"
WINTUN = "wintun.dll"
WINTUN_LICENSE = "wintun-LICENSE.txt"
MAX_MANIFEST_BYTES = 4 * 1024 * 1024
_MAX_FILE_BYTES = 256 * 1024 * 1024
_FLAT_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*")
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+-]{0,60}")
_SUM = re.compile(r"[0-9a-f]{64}")
_TOP = frozenset((SBOM, INSTALLER, "__main__.py"))
_FLAT_FOLDERS = (PAYLOAD, "wirefleet_bundle/")


@dataclass(frozen=True)
class Member:
    size: int
    sha256: str


@dataclass(frozen=True)
class WindowsParts:
    """python: the runtime's full version. wintun_version: as its publisher calls the DLL of this sum."""

    python: str
    wintun_version: str
    wintun_sha256: str


@dataclass(frozen=True)
class Manifest:
    """files: every member but the manifest, by its path in the bundle. glibc: the least version, None for any.

    wheels: per Python version ("3.11") the names below ``payload/`` to install; tool: the one that installs them.
    windows: None for a bundle of another platform.
    """

    version: str
    platform: str
    glibc: tuple[int, int] | None
    wheels: Mapping[str, tuple[str, ...]]
    tool: str
    files: Mapping[str, Member]
    windows: WindowsParts | None
    inputs: str
    digest: str

    def runtime_files(self) -> list[str]:
        return [name for name in self.files if name.startswith(RUNTIME)]


def parse_manifest(raw: bytes) -> Manifest:
    """Raises InvalidBundle, or an error that the caller takes for one, for anything else than a manifest."""
    found = json.loads(raw)
    if found["schema"] != SCHEMA:
        raise InvalidBundle(f"a manifest of schema {found['schema']!r} is unknown to this installer")
    if _VERSION.fullmatch(found["version"]) is None:
        raise InvalidBundle("the manifest's version is not one")
    files = _files(found["files"])
    wheels = {str(python): tuple(str(name) for name in names) for python, names in found["wheels"].items()}
    windows = found.get("windows")
    parts = None if windows is None else WindowsParts(*(str(windows[key]) for key in WindowsParts.__annotations__))
    wanted = {found["tool"], *(name for names in wheels.values() for name in names)}
    if parts is not None:
        wanted |= {WINTUN, WINTUN_LICENSE}
    missing = sorted(name for name in wanted if PAYLOAD + name not in files)
    if missing:
        raise InvalidBundle(f"the manifest names {missing[0]} but does not list it")
    glibc = found["glibc"]
    return Manifest(
        version=str(found["version"]),
        platform=str(found["platform"]),
        glibc=None if glibc is None else (int(glibc[0]), int(glibc[1])),
        wheels=wheels,
        tool=str(found["tool"]),
        files=files,
        windows=parts,
        inputs=str(found["inputs"]),
        digest=hashlib.sha256(raw).hexdigest(),
    )


def _files(found: Mapping[str, Mapping[str, object]]) -> dict[str, Member]:
    files = {}
    for name, member in found.items():
        if not _is_safe(name):
            raise InvalidBundle(f"the manifest holds an unsafe name: {name[:60]!r}")
        size, sha256 = member["size"], str(member["sha256"])
        if not isinstance(size, int) or not 0 <= size <= _MAX_FILE_BYTES or _SUM.fullmatch(sha256) is None:
            raise InvalidBundle(f"the manifest's entry of {name} has no size and sum that a file can have")
        files[name] = Member(size, sha256)
    twice = colliding(files)
    if twice is not None:
        raise InvalidBundle(f"the manifest holds {twice!r} twice, if case does not count")
    return files


def _is_safe(name: str) -> bool:
    """At a place where a bundle has files; plain names there, directories only in the runtime."""
    if name in _TOP:
        return True
    for folder in _FLAT_FOLDERS:
        if name.startswith(folder):
            return why_unsafe(name) is None and _FLAT_NAME.fullmatch(name.removeprefix(folder)) is not None
    return name.startswith(RUNTIME) and why_unsafe(name) is None
