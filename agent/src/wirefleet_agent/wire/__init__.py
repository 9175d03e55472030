# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Bytes and messages: WireGuard's messages, IP headers, underlay addresses, packet batches."""
