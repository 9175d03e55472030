# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""``python -m wirefleet_agent`` is ``wirefleet-agent``."""

from __future__ import annotations

import sys

from .host.cli import main

sys.exit(main())
