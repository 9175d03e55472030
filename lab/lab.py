#!/usr/bin/env python3
# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded lab: six hosts, a routed underlay and two LANs in network namespaces of this machine."""

from __future__ import annotations

import sys

from wirefleet_lab.cli import main

if __name__ == "__main__":
    sys.exit(main())
