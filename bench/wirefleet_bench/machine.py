# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts about machine and programs without which a figure means nothing; no names of hosts, users or paths."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
_PACKAGES = ("cryptography", "numpy")


def facts() -> dict[str, Any]:
    """Model and number of processors, memory, kernel, Python, and the versions that matter."""
    return {
        "cpu_model": cpu_model(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
        "kernel": platform.release(),
        "python": platform.python_version(),
        **{name: _version(name) for name in _PACKAGES},
        "iperf3": _iperf3_version(),
    }


def cpu_model(cpuinfo: str) -> str:
    """From the text of /proc/cpuinfo; the architecture where it names no model."""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def commit() -> tuple[str, bool]:
    """(short commit, whether the checkout differs from it); ("unknown", True) outside a git checkout."""
    try:
        short = _git("rev-parse", "--short", "HEAD").strip()
        return short, bool(_git("status", "--porcelain", "--untracked-files=no").strip())
    except (OSError, subprocess.CalledProcessError):
        return "unknown", True


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=True, timeout=30)
    return done.stdout


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _iperf3_version() -> str:
    done = subprocess.run(["iperf3", "--version"], capture_output=True, text=True, check=False, timeout=30)
    return (done.stdout.split() or ["", "unknown"])[1]
