# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The bundle for Linux: a program that the host's own Python runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from wirefleet_bundle.manifest import PAYLOAD, SBOM, Manifest

from .archive import installer_members, write_bundle
from .sbom import sbom, wheel_component

_MANYLINUX = re.compile(r"manylinux_(\d+)_(\d+)_")
_OLD_NAMES = {"manylinux2014": (2, 17), "manylinux2010": (2, 12), "manylinux1": (2, 5)}


@dataclass(frozen=True)
class LinuxParts:
    """wheels: per Python version, without the agent's. tool: the wheel that installs the others."""

    version: str
    platform: str
    inputs: str
    agent_wheel: Path
    wheels: Mapping[str, tuple[Path, ...]]
    tool: Path


def write_linux_bundle(path: Path, installer: Path, parts: LinuxParts) -> Manifest:
    """installer: the folder of its modules."""
    packed = {wheel.name: wheel for group in parts.wheels.values() for wheel in (*group, parts.agent_wheel)}
    packed[parts.tool.name] = parts.tool
    members = installer_members(installer)
    members |= {PAYLOAD + name: wheel.read_bytes() for name, wheel in packed.items()}
    members[SBOM] = sbom(parts.version, parts.platform, [wheel_component(wheel) for wheel in packed.values()])
    record = {
        "version": parts.version,
        "platform": parts.platform,
        "glibc": _least_glibc(packed),
        "wheels": {
            python: sorted({parts.agent_wheel.name, *(wheel.name for wheel in group)})
            for python, group in parts.wheels.items()
        },
        "tool": parts.tool.name,
        "inputs": parts.inputs,
    }
    return write_bundle(path, record, members, is_program=True)


def _least_glibc(names: Iterable[str]) -> tuple[int, int] | None:
    """What the most demanding wheel needs; each wheel runs wherever its most modest tag does."""
    needed = [min(versions) for name in names if (versions := _glibc_tags(name))]
    return max(needed, default=None)


def _glibc_tags(wheel: str) -> list[tuple[int, int]]:
    tags = wheel.removesuffix(".whl").rsplit("-", 1)[-1]
    versions = [(int(major), int(minor)) for major, minor in _MANYLINUX.findall(tags)]
    return versions + [version for old, version in _OLD_NAMES.items() if old in tags]
