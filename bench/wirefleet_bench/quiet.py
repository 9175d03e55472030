# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the machine is quiet enough to measure, and whether it stayed as fast as it was.

Two questions, for two ways to be misled:

* *Who else works?* While nothing of ours runs, the processors are watched for a second or two. If they are busy for
  more than ``BUSY_LIMIT`` of the time (a hypervisor's steal counts), we wait for quiet a while, and then refuse.
* *Does the clock drift?* A fixed piece of work is timed before each sample and after the last. If that time strays
  within a round by more than ``ROUND_SPREAD``, the pair was not measured on one machine: the round is repeated. If it
  strays over all rounds of a measure by more than ``MEASURE_SPREAD``, the measure is noisy and its figures are not
  reported.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from .errors import MachineTooBusy
from .processes import parse_stat
from .statistics import median, spread

BUSY_LIMIT = 0.10
ROUND_SPREAD = 0.15
MEASURE_SPREAD = 0.20
WATCH_AT_START_S = 2.0
WATCH_BETWEEN_S = 1.0
WAIT_FOR_QUIET_S = 30.0
_CALIBRATION_BLOCK = bytes(1 << 16)
_CALIBRATION_BLOCKS = 100
_CALIBRATION_REPEATS = 7
_PROC = Path("/proc")


class CpuTimes(NamedTuple):
    """Clock ticks since boot, of all processors together."""

    busy: int
    total: int


class Worker(NamedTuple):
    """A process and the processors that it kept busy; 1.0 is a whole one."""

    pid: int
    name: str
    cpus: float


def parse_cpu_times(text: str) -> CpuTimes:
    """The first line of /proc/stat: user nice system idle iowait irq softirq steal; guests are in user already."""
    ticks = [int(field) for field in text.splitlines()[0].split()[1:9]]
    return CpuTimes(sum(ticks) - ticks[3] - ticks[4], sum(ticks))


def busy_share(before: CpuTimes, after: CpuTimes) -> float:
    """The busy part of all processors' time in between, 0 to 1."""
    passed = after.total - before.total
    return (after.busy - before.busy) / passed if passed > 0 else 0.0


def busiest(
    before: Mapping[int, tuple[str, float]], after: Mapping[int, tuple[str, float]], passed_s: float
) -> list[Worker]:
    """The three processes that worked most in between, those that began meanwhile included."""
    workers = [
        Worker(pid, name, (cpu_s - before.get(pid, (name, 0.0))[1]) / passed_s) for pid, (name, cpu_s) in after.items()
    ]
    return sorted((worker for worker in workers if worker.cpus >= 0.01), key=lambda worker: -worker.cpus)[:3]


def refusal(share: float, workers: Sequence[Worker]) -> str | None:
    """Why not to measure on a machine that is busy for this share of its time; None if nothing speaks against it."""
    if share <= BUSY_LIMIT:
        return None
    who = ", ".join(f"{each.name} (pid {each.pid}, {each.cpus:.0%} of a processor)" for each in workers)
    return (
        f"the machine is busy for {share:.0%} of its time while nothing of ours runs (limit {BUSY_LIMIT:.0%}): "
        f"{who or 'no process of this machine, so its host'}"
    )


def is_round_noisy(calibrations_ms: Sequence[float]) -> bool:
    """calibrations_ms: before each sample of one round and after the last."""
    return spread(calibrations_ms) > ROUND_SPREAD


def is_measure_noisy(rounds_ms: Sequence[Sequence[float]]) -> bool:
    """rounds_ms: the calibrations of each round that counts."""
    return any(map(is_round_noisy, rounds_ms)) or spread([median(each) for each in rounds_ms]) > MEASURE_SPREAD


def calibration_ms() -> float:
    """How long a fixed piece of work takes now: hashing 6.25 MiB, the median of seven times."""
    took_ms = []
    for _ in range(_CALIBRATION_REPEATS):
        began = time.perf_counter()
        digest = hashlib.blake2s()
        for _ in range(_CALIBRATION_BLOCKS):
            digest.update(_CALIBRATION_BLOCK)
        digest.digest()
        took_ms.append((time.perf_counter() - began) * 1000)
    return median(took_ms)


def watch(seconds: float) -> tuple[float, list[Worker]]:
    """(busy share, who worked most) while we sleep."""
    workers, times, began = _workers(), _cpu_times(), time.monotonic()
    time.sleep(seconds)
    share = busy_share(times, _cpu_times())
    return share, busiest(workers, _workers(), time.monotonic() - began)


class Guard:
    """Lets measurements through while the machine is quiet. is_forced: lets all through and only takes notes."""

    def __init__(self, *, is_forced: bool) -> None:
        self._is_forced = is_forced
        self.busy_shares: list[float] = []
        self.ignored: list[str] = []

    def require_quiet(self, seconds: float) -> None:
        """Watch for so long, and again for half a minute if it was not quiet. Raises MachineTooBusy."""
        deadline = time.monotonic() + WAIT_FOR_QUIET_S
        while True:
            share, workers = watch(seconds)
            self.busy_shares.append(share)
            reason = refusal(share, workers)
            if reason is None:
                return
            if self._is_forced:
                self.ignored.append(reason)
                return
            if time.monotonic() > deadline:
                raise MachineTooBusy(reason, "end what works there, or --force, and the report says so")


def _cpu_times() -> CpuTimes:
    return parse_cpu_times((_PROC / "stat").read_text(encoding="ascii"))


def _workers() -> dict[int, tuple[str, float]]:
    found = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                found[int(entry.name)] = parse_stat((entry / "stat").read_text(encoding="utf-8", errors="replace"))
    return found
