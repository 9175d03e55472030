# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The host around the tunnel: clock, sleep, devices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ._findings import CheckOnly, Finding, Severity

_DAY_S = 86400.0
_LAST_PLAUSIBLE_YEAR = 2100


class ClockIsPlausible(CheckOnly):
    """Handshakes carry time stamps that may only grow: a clock that was set back locks this host out at its peers.

    wall: seconds since the epoch. newest: the time of the newest file that this host wrote; None if there is none.
    """

    def __init__(self, wall: Callable[[], float], newest: Callable[[], float | None]) -> None:
        self._wall = wall
        self._newest = newest

    def find(self) -> Sequence[Finding]:
        now, newest = self._wall(), self._newest()
        is_back = newest is not None and now < newest - _DAY_S
        if not is_back and datetime.fromtimestamp(now, UTC).year < _LAST_PLAUSIBLE_YEAR:
            return []
        shown = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M UTC")
        why = "this host has files of ours that are newer" if is_back else "that is far in the future"
        message = f"the clock says {shown}, but {why}: peers may refuse its handshakes"
        return [Finding("clock_wrong", Severity.ERROR, message, "set the clock (w32time, chrony), then daemon restart")]


class FastStartupIsOff(CheckOnly):
    """is_on: None where the system does not tell."""

    def __init__(self, is_on: Callable[[], bool | None]) -> None:
        self._is_on = is_on

    def find(self) -> Sequence[Finding]:
        if not self._is_on():
            return []
        message = "fast startup is on: a shutdown hibernates the system, and adapters may come back broken"
        return [
            Finding("fast_startup_on", Severity.WARNING, message, "switch it off on servers: powercfg /hibernate off")
        ]


class TunDeviceExists(CheckOnly):
    def __init__(self, device: Path) -> None:
        self._device = device

    def find(self) -> Sequence[Finding]:
        if self._device.exists():
            return []
        hint = "modprobe tun; in a container: give it the device"
        return [Finding("tun_device_missing", Severity.ERROR, f"{self._device} does not exist", hint)]


def newest_change(*files: Path) -> float | None:
    """Seconds since the epoch; None if none of them exists."""
    times = [path.stat().st_mtime for path in files if path.exists()]
    return max(times, default=None)
