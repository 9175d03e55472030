# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The bundle for Windows: a zip that the host unpacks, with a Python runtime to run its installer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wirefleet_bundle.manifest import (
    INSTALLER,
    PAYLOAD,
    RUNTIME,
    SBOM,
    WINTUN,
    WINTUN_LICENSE,
    Manifest,
)

from .archive import installer_members, program, write_bundle
from .sbom import Component, sbom, wheel_component
from .windows_runtime import WindowsRuntime
from .windows_wheelhouse import INSTALLER as TOOL
from .windows_wheelhouse import NOT_INSTALLED
from .wintun import HOME, LICENSE_NAME, VERSION, Wintun


@dataclass(frozen=True)
class WindowsParts:
    """wheels: everything that is pinned, by normalized name."""

    version: str
    platform: str
    inputs: str
    agent_wheel: Path
    wheels: Mapping[str, Path]
    runtime: WindowsRuntime
    wintun: Wintun


def write_windows_bundle(path: Path, installer: Path, parts: WindowsParts) -> Manifest:
    """installer: the folder of its modules."""
    installed = [parts.agent_wheel, *(wheel for name, wheel in parts.wheels.items() if name not in NOT_INSTALLED)]
    tool = parts.wheels[TOOL]
    members = {PAYLOAD + wheel.name: wheel.read_bytes() for wheel in (*installed, tool)}
    members |= {RUNTIME + name: content for name, content in parts.runtime.files.items()}
    members |= {
        INSTALLER: program(installer_members(installer)),
        PAYLOAD + WINTUN: parts.wintun.dll,
        PAYLOAD + WINTUN_LICENSE: parts.wintun.license_text,
    }
    components = [wheel_component(wheel) for wheel in (*installed, tool)]
    components += [_runtime_component(parts.runtime), _wintun_component(parts.wintun)]
    members[SBOM] = sbom(parts.version, parts.platform, components)
    record = {
        "version": parts.version,
        "platform": parts.platform,
        "glibc": None,
        "wheels": {parts.runtime.python: sorted(wheel.name for wheel in installed)},
        "tool": tool.name,
        "windows": {
            "python": parts.runtime.version,
            "wintun_version": VERSION,
            "wintun_sha256": parts.wintun.sha256,
        },
        "inputs": parts.inputs,
    }
    return write_bundle(path, record, members, is_program=False)


def _runtime_component(runtime: WindowsRuntime) -> Component:
    """The sum is the archive's, as the operator gave it."""
    purl = f"pkg:generic/python@{runtime.version}?checksum=sha256:{runtime.sha256}"
    licenses: tuple[dict[str, object], ...] = ({"license": {"id": "PSF-2.0"}},)
    return Component("python", "platform", "python", runtime.version, purl, runtime.sha256, licenses)


def _wintun_component(wintun: Wintun) -> Component:
    purl = f"pkg:generic/wintun@{VERSION}?checksum=sha256:{wintun.sha256}"
    licenses: tuple[dict[str, object], ...] = ({"license": {"name": LICENSE_NAME, "url": HOME}},)
    properties = (("wirefleet:taken-from", wintun.source), ("wirefleet:license-file", WINTUN_LICENSE))
    return Component(WINTUN, "library", "wintun", VERSION, purl, wintun.sha256, licenses, properties)
