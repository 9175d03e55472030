# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Bindings to Win32; each module is for Windows only. What decides lies beside this package and imports anywhere."""
