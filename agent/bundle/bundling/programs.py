# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Calls of pip."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from wirefleet_bundle.errors import BundleError


def run_pip(arguments: Sequence[str], environment: Mapping[str, str], purpose: str) -> None:
    """Raises BundleError with pip's last words."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    result = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=1800
    )
    if result.returncode != 0:
        words = [line for line in result.stderr.splitlines() if line.strip()][-3:]
        raise BundleError(
            f"{purpose} failed: {' '.join(words) or 'pip said nothing'}",
            hint="is a package index reachable? the packages come from the cache after the first time",
        )
