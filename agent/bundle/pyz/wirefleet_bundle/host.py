# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Is this host one that the bundle is for?"""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
from dataclasses import dataclass

from .errors import Refused
from .manifest import Manifest

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True)
class Host:
    """platform: what a bundle's name ends with. python: "3.11". glibc: None where the C library is another one."""

    platform: str
    python: str
    glibc: tuple[int, int] | None


def this_host() -> Host:
    return Host(platform_tag(), python_version(), glibc_version())


def platform_tag() -> str:
    """``linux_x86_64``, ``win_amd64``. On Windows the interpreter's, which decides which DLLs it can load."""
    if os.name == "nt":
        return sysconfig.get_platform().replace("-", "_")
    machine = platform.machine().lower()
    return f"{sys.platform}_{_MACHINES.get(machine, machine)}"


def python_version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def glibc_version() -> tuple[int, int] | None:
    """None where the C library is another one."""
    try:
        name, version = platform.libc_ver() if sys.platform == "linux" else ("", "")
        major, minor = version.split(".")[:2]
        return (int(major), int(minor)) if name == "glibc" else None
    except (ValueError, OSError):
        return None


def require_fitting_host(manifest: Manifest, host: Host) -> tuple[str, ...]:
    """The payload names to install here. Raises Refused, saying what would fit."""
    if manifest.platform != host.platform:
        raise Refused(f"this bundle is for {manifest.platform}, this host is {host.platform}")
    wheels = manifest.wheels.get(host.python)
    if wheels is None:
        raise Refused(
            f"this bundle has no packages for Python {host.python}, only for {', '.join(manifest.wheels)}",
            path=sys.executable,
            hint="call it with one of these, or build it with --python-version",
        )
    if manifest.glibc is not None and (host.glibc is None or host.glibc < manifest.glibc):
        found = "another C library" if host.glibc is None else f"glibc {host.glibc[0]}.{host.glibc[1]}"
        raise Refused(f"this bundle needs glibc {manifest.glibc[0]}.{manifest.glibc[1]}, this host has {found}")
    return wheels
