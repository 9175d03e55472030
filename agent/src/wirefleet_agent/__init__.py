# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The WireFleet agent: a userspace WireGuard tunnel service."""

__version__ = "0.1.0"
