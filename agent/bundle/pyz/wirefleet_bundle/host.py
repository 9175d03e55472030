# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Is this host one that the bundle is for?"""

from __future__ import annotations

import os
import platform
import sys

from .errors import Refused
from .manifest import Manifest

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def platform_tag() -> str:
    """``linux_x86_64``: what a bundle's name ends with."""
    machine = platform.machine().lower()
    return f"{sys.platform}_{_MACHINES.get(machine, machine)}"


def python_version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def glibc_version() -> tuple[int, int] | None:
    """None where the C library is another one."""
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
        major, minor = version.split(".")[:2]
        return (int(major), int(minor)) if name == "glibc" else None
    except (AttributeError, ValueError, OSError):
        return None


def require_fitting_host(manifest: Manifest) -> tuple[str, ...]:
    """The payload names to install here. Raises Refused, saying what would fit."""
    if manifest.platform != platform_tag():
        raise Refused(f"this bundle is for {manifest.platform}, this host is {platform_tag()}")
    wheels = manifest.wheels.get(python_version())
    if wheels is None:
        raise Refused(
            f"this bundle has no packages for Python {python_version()}, only for {', '.join(manifest.wheels)}",
            path=sys.executable,
            hint="call it with one of these, or build it with --python-version",
        )
    glibc = glibc_version()
    if manifest.glibc is not None and (glibc is None or glibc < manifest.glibc):
        found = "another C library" if glibc is None else f"glibc {glibc[0]}.{glibc[1]}"
        raise Refused(f"this bundle needs glibc {manifest.glibc[0]}.{manifest.glibc[1]}, this host has {found}")
    return wheels
