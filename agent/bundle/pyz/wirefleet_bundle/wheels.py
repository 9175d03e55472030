# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Wheels into a directory, by PyPA's ``installer`` which the bundle carries: nothing is resolved or fetched."""

from __future__ import annotations

import importlib
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

from .contents import Bundle
from .errors import InvalidBundle
from .manifest import PAYLOAD
from .names import why_unsafe


def install_wheels(
    bundle: Bundle, wheels: tuple[str, ...], paths: Mapping[str, str], interpreter: Path, scratch: Path
) -> None:
    """paths: a directory for each of sysconfig's kinds. scratch: an empty directory that the caller removes.

    Byte code is not made here. Raises InvalidBundle for a wheel that is none or would write elsewhere.
    """
    sys.path.insert(0, str(bundle.extract(PAYLOAD + bundle.manifest.tool, scratch / bundle.manifest.tool)))
    # By name, as it is only there once the bundle has been opened.
    install = importlib.import_module("installer").install
    destinations = importlib.import_module("installer.destinations")
    wheel_file = importlib.import_module("installer.sources").WheelFile
    sys.path.pop(0)
    destination = destinations.SchemeDictionaryDestination(
        dict(paths), interpreter=str(interpreter), script_kind="posix", bytecode_optimization_levels=()
    )
    for name in wheels:
        path = bundle.extract(PAYLOAD + name, scratch / name)
        try:
            with wheel_file.open(path) as wheel:
                _refuse_unsafe_members(name, path)
                install(source=wheel, destination=destination, additional_metadata={"INSTALLER": b"wirefleet-bundle\n"})
        except (ValueError, KeyError, AssertionError) as error:
            raise InvalidBundle(f"{name} is not a wheel that can be installed: {error}") from error
        path.unlink()


def _refuse_unsafe_members(wheel: str, path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        members = [info.filename for info in archive.infolist() if not info.is_dir()]
    for member in members:
        reason = why_unsafe(member)
        if reason is not None:
            raise InvalidBundle(f"{wheel} holds a path that cannot be installed: {member[:60]!r}: {reason}")
