# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The bundle file: a zip, the same bytes for the same contents."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from wirefleet_bundle.contents import Bundle
from wirefleet_bundle.errors import BundleError
from wirefleet_bundle.manifest import MANIFEST, SCHEMA, Manifest, parse_manifest

SHEBANG = b"#!/usr/bin/env python3\n"
_DATE = (1980, 1, 1, 0, 0, 0)
_PACKED_ALREADY = (".whl", ".zip", ".pyz")


def existing_bundle(path: Path, inputs: str) -> Manifest | None:
    """The manifest of the bundle at ``path`` if it is sound and made of the same inputs."""
    if not path.is_file():
        return None
    try:
        bundle = Bundle(path)
        try:
            bundle.verify()
        finally:
            bundle.close()
    except BundleError:
        return None
    return bundle.manifest if bundle.manifest.inputs == inputs else None


def write_bundle(
    path: Path, record: Mapping[str, object], members: Mapping[str, bytes], *, is_program: bool
) -> Manifest:
    """Write the bundle beside ``path`` and rename it into place; returns its manifest.

    record: the manifest but for its schema and its list of files. is_program: Python can run the file itself.
    """
    sums = {name: {"size": len(content), "sha256": _sum(content)} for name, content in sorted(members.items())}
    raw = json.dumps({**record, "schema": SCHEMA, "files": sums}, indent=1, sort_keys=True).encode() + b"\n"
    manifest = parse_manifest(raw)
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with staged.open("wb") as stream:
            stream.write(SHEBANG if is_program else b"")
            _write(stream, {MANIFEST: raw, **dict(sorted(members.items()))})
        staged.chmod(0o755 if is_program else 0o644)
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
    return manifest


def installer_members(folder: Path) -> dict[str, bytes]:
    """The installer's modules, by their places in a program."""
    return {source.relative_to(folder).as_posix(): source.read_bytes() for source in sorted(folder.rglob("*.py"))}


def program(members: Mapping[str, bytes]) -> bytes:
    """A zip that Python runs."""
    stream = io.BytesIO()
    stream.write(SHEBANG)
    _write(stream, members)
    return stream.getvalue()


def _write(stream: IO[bytes], members: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, _DATE)
            info.compress_type = zipfile.ZIP_STORED if name.endswith(_PACKED_ALREADY) else zipfile.ZIP_DEFLATED
            info.external_attr = 0o100644 << 16
            info.create_system = 3
            archive.writestr(info, content)


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
