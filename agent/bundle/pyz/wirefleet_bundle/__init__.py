# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The installer inside a bundle: standard library, and PyPA's ``installer`` which the bundle carries as a wheel."""
