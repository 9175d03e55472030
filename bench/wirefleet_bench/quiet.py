# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the machine is quiet enough to measure, and whether it stayed as fast as it was.

Three questions, for three ways to be misled:

* *Who else works?* While nothing of ours runs, the processors are watched for a second or two. If they are busy for
  more than ``BUSY_LIMIT`` of the time (a hypervisor's steal counts), we wait for quiet a while, and then refuse.
* *Who else worked meanwhile?* Of what is there after a sample, nothing but ourselves and kernel threads is ours. If
  the rest, with the hypervisor's steal, took more than ``BUSY_LIMIT`` during it, the round is repeated. Processes that
  came and went within the sample are not seen.
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
from .processes import Stat, parse_stat
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
    """Clock ticks since boot, of all processors together; steal is busy, too."""

    busy: int
    total: int
    steal: int


class Worker(NamedTuple):
    """A process and the processors that it kept busy; 1.0 is a whole one."""

    pid: int
    name: str
    cpus: float


def parse_cpu_times(text: str) -> CpuTimes:
    """The first line of /proc/stat: user nice system idle iowait irq softirq steal; guests are in user already."""
    ticks = [int(field) for field in text.splitlines()[0].split()[1:9]]
    return CpuTimes(sum(ticks) - ticks[3] - ticks[4], sum(ticks), ticks[7])


def busy_share(before: CpuTimes, after: CpuTimes) -> float:
    """The busy part of all processors' time in between, 0 to 1."""
    passed = after.total - before.total
    return (after.busy - before.busy) / passed if passed > 0 else 0.0


def workers(before: Mapping[int, Stat], after: Mapping[int, Stat], passed_s: float) -> list[Worker]:
    """Who worked in between, the busiest first; those that began meanwhile are among them, the dead are not."""
    found = []
    for pid, stat in after.items():
        began_s = before[pid].cpu_s if pid in before else 0.0
        if not stat.is_zombie and stat.cpu_s - began_s >= 0.01 * passed_s:
            found.append(Worker(pid, stat.name, (stat.cpu_s - began_s) / passed_s))
    return sorted(found, key=lambda worker: -worker.cpus)


class Snapshot(NamedTuple):
    """Who has worked how much until ``at`` (monotonic seconds)."""

    times: CpuTimes
    stats: Mapping[int, Stat]
    at: float


def others_share(before: Snapshot, after: Snapshot) -> float:
    """The part of the machine that processes of others, and the hypervisor, took in between, 0 to 1.

    To be asked when our processes of that time have ended.
    """
    users = {pid: stat for pid, stat in after.stats.items() if not stat.is_kernel_thread}
    cpus = sum(worker.cpus for worker in workers(before.stats, users, after.at - before.at))
    passed = max(after.times.total - before.times.total, 1)
    return cpus / (os.cpu_count() or 1) + (after.times.steal - before.times.steal) / passed


def refusal(share: float, busiest: Sequence[Worker]) -> str | None:
    """Why not to measure on a machine that is busy for this share of its time; None if nothing speaks against it."""
    if share <= BUSY_LIMIT:
        return None
    named = [f"{each.name} (pid {each.pid}, {each.cpus:.0%} of a processor)" for each in busiest[:3]]
    if sum(each.cpus for each in busiest) < share * (os.cpu_count() or 1) / 2:
        named.append("processes that have ended meanwhile, or this machine's host")
    return (
        f"the machine is busy for {share:.0%} of its time while nothing of ours runs (limit {BUSY_LIMIT:.0%}): "
        + ", ".join(named)
    )


def is_round_noisy(calibrations_ms: Sequence[float], others_shares: Sequence[float] = ()) -> bool:
    """calibrations_ms: before each sample of one round and after the last. others_shares: during each sample."""
    return spread(calibrations_ms) > ROUND_SPREAD or max(others_shares, default=0.0) > BUSY_LIMIT


def has_drifted(rounds_ms: Sequence[Sequence[float]]) -> bool:
    """Whether the machine was another one in some rounds. rounds_ms: the calibrations of each that counts."""
    return spread([median(each) for each in rounds_ms]) > MEASURE_SPREAD


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


def snapshot() -> Snapshot:
    """Of now, without ourselves."""
    stats = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                stats[int(entry.name)] = parse_stat((entry / "stat").read_text(encoding="utf-8", errors="replace"))
    times = parse_cpu_times((_PROC / "stat").read_text(encoding="ascii"))
    return Snapshot(times, stats, time.monotonic())


def watch(seconds: float) -> tuple[float, list[Worker]]:
    """(busy share, who worked, the busiest first) while we sleep."""
    before = snapshot()
    time.sleep(seconds)
    after = snapshot()
    return busy_share(before.times, after.times), workers(before.stats, after.stats, after.at - before.at)


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
            share, busiest = watch(seconds)
            self.busy_shares.append(share)
            reason = refusal(share, busiest)
            if reason is None:
                return
            if self._is_forced:
                self.ignored.append(reason)
                return
            if time.monotonic() > deadline:
                raise MachineTooBusy(reason, "end what works there, or --force, and the report says so")
