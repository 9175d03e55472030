# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The clocks of one host, which go when the test says so."""

from __future__ import annotations

from dataclasses import dataclass

from wirefleet_agent.host.deadline import BootClock


@dataclass
class FakeTime:
    """Monotonic, boot and wall time of one host; ``pass_s`` lets them go on together."""

    now_s: float = 1000.0
    wall_s: float = 1_700_000_000.0
    boot_id: str = "boot-1"

    def pass_s(self, seconds: float) -> None:
        self.now_s += seconds
        self.wall_s += seconds

    def boot_clock(self) -> BootClock:
        return BootClock(lambda: self.now_s, lambda: self.wall_s, self.boot_id)
