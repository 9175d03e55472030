# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A deadline that survives a crash, a restart and a reboot.

Within one boot it is measured on the boot clock, which no clock step moves and which runs on while the machine
sleeps. After a reboot only the wall clock is left; a wall clock that was set back cannot stretch the deadline, because
what remains is never more than what was asked for.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

if sys.platform == "win32":
    from .win32.clock import boot_clock_s, boot_id
else:
    _BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

    def boot_clock_s() -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def boot_id() -> str:
        return _BOOT_ID.read_text().strip()


@dataclass(frozen=True)
class BootClock:
    """now: seconds that only grow within one boot. wall: seconds since the epoch. boot_id: differs per boot."""

    now: Callable[[], float]
    wall: Callable[[], float]
    boot_id: str

    @classmethod
    def of_system(cls) -> BootClock:
        return cls(boot_clock_s, time.time, boot_id())


@dataclass(frozen=True)
class Deadline:
    """timeout_s: what was asked for. boot_s and wall_s: the same instant on both clocks."""

    timeout_s: float
    boot_id: str
    boot_s: float
    wall_s: float

    @classmethod
    def after(cls, timeout_s: float, clock: BootClock) -> Deadline:
        return cls(timeout_s, clock.boot_id, clock.now() + timeout_s, clock.wall() + timeout_s)

    @classmethod
    def from_dict(cls, found: Mapping[str, object]) -> Deadline:
        """The inverse of ``vars``; raises ValueError, KeyError, TypeError."""
        numbers = {name: float(str(found[name])) for name in ("timeout_s", "boot_s", "wall_s")}
        return cls(boot_id=str(found["boot_id"]), **numbers)

    def as_dict(self) -> dict[str, object]:
        return {"timeout_s": self.timeout_s, "boot_id": self.boot_id, "boot_s": self.boot_s, "wall_s": self.wall_s}

    def remaining_s(self, clock: BootClock) -> float:
        """0.0 when it has passed."""
        is_same_boot = clock.boot_id == self.boot_id
        remaining_s = self.boot_s - clock.now() if is_same_boot else self.wall_s - clock.wall()
        return min(max(0.0, remaining_s), self.timeout_s)
