# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The bundle file: a zip that Python runs, the same bytes for the same contents."""

from __future__ import annotations

import hashlib
import json
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

from wirefleet_bundle.errors import BundleError
from wirefleet_bundle.manifest import MANIFEST, PAYLOAD, SCHEMA, Bundle, Manifest, parse_manifest

_SHEBANG = b"#!/usr/bin/env python3\n"
_DATE = (1980, 1, 1, 0, 0, 0)
_MANYLINUX = re.compile(r"manylinux_(\d+)_(\d+)_")
_OLD_NAMES = {"manylinux2014": (2, 17), "manylinux2010": (2, 12), "manylinux1": (2, 5)}


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
    path: Path,
    installer: Path,
    version: str,
    platform: str,
    inputs: str,
    agent_wheel: Path,
    wheels: Mapping[str, tuple[Path, ...]],
    tool: Path,
) -> Manifest:
    """Write the bundle beside ``path`` and rename it into place; returns its manifest."""
    payload = {wheel.name: wheel for group in wheels.values() for wheel in group} | {
        agent_wheel.name: agent_wheel,
        tool.name: tool,
    }
    record = {
        "schema": SCHEMA,
        "version": version,
        "platform": platform,
        "glibc": _least_glibc(payload),
        "wheels": {python: sorted({agent_wheel.name, *(w.name for w in group)}) for python, group in wheels.items()},
        "tool": tool.name,
        "files": {name: _sum(file) for name, file in sorted(payload.items())},
        "inputs": inputs,
    }
    raw = json.dumps(record, indent=1, sort_keys=True).encode() + b"\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with staged.open("wb") as stream:
            stream.write(_SHEBANG)
            with zipfile.ZipFile(stream, "w") as archive:
                for source in sorted(installer.rglob("*.py")):
                    _add(archive, source.relative_to(installer).as_posix(), source.read_bytes(), zipfile.ZIP_DEFLATED)
                _add(archive, MANIFEST, raw, zipfile.ZIP_DEFLATED)
                for name, file in sorted(payload.items()):
                    _add(archive, PAYLOAD + name, file.read_bytes(), zipfile.ZIP_STORED)
        staged.chmod(0o755)
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
    return parse_manifest(raw)


def _add(archive: zipfile.ZipFile, name: str, content: bytes, compression: int) -> None:
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type = compression
    info.external_attr = 0o100644 << 16
    info.create_system = 3
    archive.writestr(info, content)


def _sum(file: Path) -> dict[str, object]:
    content = file.read_bytes()
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _least_glibc(names: Mapping[str, Path]) -> tuple[int, int] | None:
    """What the most demanding wheel needs; each wheel runs wherever its most modest tag does."""
    needed = [min(versions) for name in names if (versions := _glibc_tags(name))]
    return max(needed, default=None)


def _glibc_tags(wheel: str) -> list[tuple[int, int]]:
    tags = wheel.removesuffix(".whl").rsplit("-", 1)[-1]
    versions = [(int(major), int(minor)) for major, minor in _MANYLINUX.findall(tags)]
    return versions + [version for old, version in _OLD_NAMES.items() if old in tags]
