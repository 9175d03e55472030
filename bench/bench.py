#!/usr/bin/env python3
# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the tunnel against wireguard-go, in two network namespaces of this machine; see docs/benchmarks.md."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE.parent / ".venv"

if Path(sys.prefix) != VENV and (VENV / "bin" / "python").exists():  # started without activating it
    os.execv(VENV / "bin" / "python", [str(VENV / "bin" / "python"), *sys.argv])  # noqa: S606

sys.path[:0] = [str(HERE), str(HERE.parent / "lab")]

from wirefleet_bench.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
