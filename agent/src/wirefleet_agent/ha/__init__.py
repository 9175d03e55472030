# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Redundancy, pure: heartbeats' bytes, who is alive, who carries the traffic, and how hubs reach a spoke or a site.

No clock, no socket, no randomness of its own: time and jitter come in with every call. engine/ha_loop acts.
"""
