# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A bundle's manifest: what is inside, with sums, and which hosts it is for.

``manifest.json`` lists every file below ``payload/``. Its own SHA-256 is the bundle's digest: two bundles with one
digest install the same release.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .errors import InvalidBundle

SCHEMA = 1
MANIFEST = "manifest.json"
PAYLOAD = "payload/"
_MAX_MANIFEST_BYTES = 1024 * 1024
_MAX_FILE_BYTES = 256 * 1024 * 1024
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+-]{0,60}")
# What zipfile, zlib and json raise for bytes that were not meant for them, and what follows from odd values.
_DAMAGE = (
    OSError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    RuntimeError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    struct.error,
)


@dataclass(frozen=True)
class PayloadFile:
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """wheels: per Python version ("3.11") the payload names to install. glibc: the least version, None for any."""

    version: str
    platform: str
    glibc: tuple[int, int] | None
    wheels: Mapping[str, tuple[str, ...]]
    tool: str
    files: Mapping[str, PayloadFile]
    inputs: str
    digest: str


class Bundle:
    """An open bundle file. Nothing in it is believed before ``verify``."""

    def __init__(self, path: Path) -> None:
        try:
            self._archive = zipfile.ZipFile(path)
        except _DAMAGE as error:
            raise InvalidBundle(f"this is not a bundle: {error}", path=str(path)) from error
        self.path = path
        self.manifest = self._read_manifest()

    def verify(self) -> None:
        """Every payload file is listed, once, and has the listed size and sum. Raises InvalidBundle."""
        names = [info.filename for info in self._archive.infolist() if info.filename.startswith(PAYLOAD)]
        listed = {PAYLOAD + name for name in self.manifest.files}
        if len(names) != len(set(names)) or set(names) != listed:
            odd = sorted(set(names) ^ listed) or sorted(names)
            raise self._invalid(f"payload and manifest differ: {odd[0]}")
        for name in self.manifest.files:
            self._read_checked(name)

    def extract(self, name: str, directory: Path) -> Path:
        """One payload file, checked again while it is written. Raises InvalidBundle, OSError."""
        target = directory / name
        target.write_bytes(self._read_checked(name))
        return target

    def close(self) -> None:
        self._archive.close()

    def _read_checked(self, name: str) -> bytes:
        expected = self.manifest.files[name]
        try:
            info = self._archive.getinfo(PAYLOAD + name)
            content = self._archive.read(info) if info.file_size == expected.size else b""
        except _DAMAGE as error:
            raise self._invalid(f"{name} cannot be read: {error}") from error
        if len(content) != expected.size or hashlib.sha256(content).hexdigest() != expected.sha256:
            raise self._invalid(f"{name} does not match its sum in the manifest")
        return content

    def _read_manifest(self) -> Manifest:
        try:
            info = self._archive.getinfo(MANIFEST)
            if info.file_size > _MAX_MANIFEST_BYTES:
                raise self._invalid("the manifest is too long")
            raw = self._archive.read(info)
            return parse_manifest(raw)
        except InvalidBundle:
            raise
        except _DAMAGE as error:
            raise self._invalid(f"the manifest cannot be read: {error}") from error

    def _invalid(self, message: str) -> InvalidBundle:
        return InvalidBundle(message, path=str(self.path), hint="build or copy the bundle again")


def parse_manifest(raw: bytes) -> Manifest:
    """Raises InvalidBundle, or an error that the caller takes for one, for anything else than a manifest."""
    found = json.loads(raw)
    if found["schema"] != SCHEMA:
        raise InvalidBundle(f"a manifest of schema {found['schema']!r} is unknown to this installer")
    files = {_safe(name): PayloadFile(int(f["size"]), str(f["sha256"])) for name, f in found["files"].items()}
    if any(not 0 <= file.size <= _MAX_FILE_BYTES for file in files.values()):
        raise InvalidBundle("a file in the manifest is too long")
    if _VERSION.fullmatch(found["version"]) is None:
        raise InvalidBundle("the manifest's version is not one")
    wheels = {str(python): tuple(_safe(name) for name in names) for python, names in found["wheels"].items()}
    missing = {name for names in wheels.values() for name in names} - files.keys() | {found["tool"]} - files.keys()
    if missing:
        raise InvalidBundle(f"the manifest names {sorted(missing)[0]} but does not list it")
    glibc = found["glibc"]
    return Manifest(
        version=str(found["version"]),
        platform=str(found["platform"]),
        glibc=None if glibc is None else (int(glibc[0]), int(glibc[1])),
        wheels=wheels,
        tool=str(found["tool"]),
        files=files,
        inputs=str(found["inputs"]),
        digest=hashlib.sha256(raw).hexdigest(),
    )


def _safe(name: str) -> str:
    """A plain file name: no directories, nothing hidden, no way out."""
    if _SAFE_NAME.fullmatch(name) is None or PurePosixPath(name).name != name:
        raise InvalidBundle(f"the manifest holds an unsafe name: {name[:60]!r}")
    return name
