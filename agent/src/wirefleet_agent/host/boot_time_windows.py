# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What the kernel says of its boot: SYSTEM_TIMEOFDAY_INFORMATION."""

from __future__ import annotations

import ctypes

SYSTEM_TIME_OF_DAY = 3  # SYSTEM_INFORMATION_CLASS


class SystemTimeOfDay(ctypes.Structure):
    """Instants in units of 100 ns since 1601. The biases: what clock steps, and what sleep, have added to boot_time."""

    _fields_ = (
        ("boot_time", ctypes.c_int64),
        ("current_time", ctypes.c_int64),
        ("time_zone_bias", ctypes.c_int64),
        ("time_zone_id", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32),
        ("boot_time_bias", ctypes.c_uint64),
        ("sleep_time_bias", ctypes.c_uint64),
    )

    def boot_id(self) -> str:
        """The same text throughout one boot, whatever is done to the clock."""
        return f"{(self.boot_time - self.boot_time_bias) % (1 << 64):016x}"
