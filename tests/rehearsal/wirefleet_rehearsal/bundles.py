# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles of the agent, built before the playbooks run: the controller's namespace has no way to a package index."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from .cache import CHECKOUT, RehearsalError, run
from .topology import Rehearsal
from .windows_python import runtime

_AGENT = CHECKOUT / "agent"


def prepare_bundles(rehearsal: Rehearsal) -> None:
    """The bundles for both platforms where inventories/rehearsal looks for them; site.yml finds them unchanged."""
    build_windows(_AGENT, rehearsal.bundles)
    _build(_AGENT, rehearsal.bundles)


def build_windows(agent: Path, output: Path) -> Path:
    """The Windows bundle of an agent's sources, with the rehearsal's Python."""
    path, digest = runtime()
    words = ["--platform", "win_amd64", "--windows-python", str(path), "--windows-python-sha256", digest]
    return _build(agent, output, *words)


def changed_agent(target: Path, change: Callable[[Path], None]) -> Path:
    """A copy of the agent's sources, with a change: what another release is built from."""
    shutil.rmtree(target, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__", "dist", "build", "tests", "*.egg-info")
    shutil.copytree(_AGENT, target, ignore=ignored)
    change(target)
    return target


def _build(agent: Path, output: Path, *words: str) -> Path:
    printed = run([sys.executable, agent / "bundle" / "build_bundle.py", "--output", output, "--json", *words])
    replies = [line for line in printed.splitlines() if line.startswith("{")]
    if not replies:
        raise RehearsalError(f"the bundle was not built: {printed[-1000:]}")
    return Path(json.loads(replies[-1])["path"])
