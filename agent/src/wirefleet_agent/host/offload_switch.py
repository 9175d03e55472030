# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""``WIREFLEET_OFFLOADS=off`` in the environment: packets one by one, where a card or a kernel cuts or joins wrongly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..errors import UsageError

VARIABLE: Final = "WIREFLEET_OFFLOADS"


def uses_offloads(environment: Mapping[str, str]) -> bool:
    """Whether the drivers may use what the kernel offers. Raises UsageError for anything but auto and off."""
    value = environment.get(VARIABLE) or "auto"
    if value not in ("auto", "off"):
        raise UsageError(f"{VARIABLE} is auto or off, not {value!r}", hint="leave it away: auto is the default")
    return value == "auto"
