# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""An open bundle: one zip file, or the directory that it was unpacked to, each with the same manifest."""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Protocol

from .errors import InvalidBundle
from .manifest import INSTALLER, MANIFEST, MAX_MANIFEST_BYTES, RUNTIME, Manifest, parse_manifest

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
_REPARSE_POINT = 0x400  # FILE_ATTRIBUTE_REPARSE_POINT


class Members(Protocol):
    """The files of a bundle, by their names in it; raises anything of _DAMAGE."""

    def names(self) -> list[str]: ...

    def read(self, name: str, max_bytes: int) -> bytes:
        """At most ``max_bytes``; b"" if there are more."""

    def close(self) -> None: ...


class ArchiveMembers:
    """The members of a zip file."""

    def __init__(self, path: Path) -> None:
        self._archive = zipfile.ZipFile(path)

    def names(self) -> list[str]:
        return [info.filename for info in self._archive.infolist()]

    def read(self, name: str, max_bytes: int) -> bytes:
        info = self._archive.getinfo(name)
        return self._archive.read(info) if info.file_size <= max_bytes else b""

    def close(self) -> None:
        self._archive.close()


class FolderMembers:
    """The files below a directory.

    Byte code in ``__pycache__`` of the runtime is passed over: the interpreter that runs this code has just made it,
    and nothing reads it from here.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        found = []
        for directory, folders, files in os.walk(self._folder):
            for name in (*folders, *files):
                path = Path(directory, name)
                status = path.lstat()
                if stat.S_ISLNK(status.st_mode) or getattr(status, "st_file_attributes", 0) & _REPARSE_POINT:
                    raise InvalidBundle("there is a link in the bundle", path=str(path))
            found += [Path(directory, name).relative_to(self._folder).as_posix() for name in files]
        return [name for name in found if not (name.startswith(RUNTIME) and "/__pycache__/" in name)]

    def read(self, name: str, max_bytes: int) -> bytes:
        with (self._folder / name).open("rb") as stream:
            content = stream.read(max_bytes + 1)
        return content if len(content) <= max_bytes else b""

    def close(self) -> None:
        """Nothing is open."""


class Bundle:
    """Nothing in it is believed before ``verify``."""

    def __init__(self, path: Path) -> None:
        """path: the zip file, or the installer in the directory that one was unpacked to."""
        self.path = path
        try:
            self._members: Members = (
                FolderMembers(path.parent)
                if path.name == INSTALLER and (path.parent / MANIFEST).is_file()
                else ArchiveMembers(path)
            )
        except _DAMAGE as error:
            raise InvalidBundle(f"this is not a bundle: {error}", path=str(path)) from error
        self.manifest = self._read_manifest()

    def verify(self) -> None:
        """Every member is listed, once, and has the listed size and sum. Raises InvalidBundle."""
        try:
            names = self._members.names()
        except InvalidBundle:
            raise
        except _DAMAGE as error:
            raise self._invalid(f"its members cannot be listed: {error}") from error
        listed = {MANIFEST, *self.manifest.files}
        if len(names) != len(set(names)) or set(names) != listed:
            odd = sorted(set(names) ^ listed) or sorted(names)
            raise self._invalid(f"contents and manifest differ: {odd[0]}")
        for name in self.manifest.files:
            self.read(name)

    def read(self, name: str) -> bytes:
        """One member, compared with its sum. Raises InvalidBundle."""
        expected = self.manifest.files[name]
        try:
            content = self._members.read(name, expected.size)
        except _DAMAGE as error:
            raise self._invalid(f"{name} cannot be read: {error}") from error
        if len(content) != expected.size or hashlib.sha256(content).hexdigest() != expected.sha256:
            raise self._invalid(f"{name} does not match its sum in the manifest")
        return content

    def extract(self, name: str, target: Path) -> Path:
        """One member, checked again while it is written. Raises InvalidBundle, OSError."""
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(self.read(name))
        return target

    def close(self) -> None:
        self._members.close()

    def _read_manifest(self) -> Manifest:
        try:
            raw = self._members.read(MANIFEST, MAX_MANIFEST_BYTES)
            if not raw:
                raise self._invalid("the manifest is empty or too long")
            return parse_manifest(raw)
        except InvalidBundle:
            raise
        except _DAMAGE as error:
            raise self._invalid(f"the manifest cannot be read: {error}") from error

    def _invalid(self, message: str) -> InvalidBundle:
        return InvalidBundle(message, path=str(self.path), hint="build or copy the bundle again")
