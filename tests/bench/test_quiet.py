# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from wirefleet_bench import quiet
from wirefleet_bench.errors import MachineTooBusy
from wirefleet_bench.processes import Stat
from wirefleet_bench.quiet import CpuTimes, Guard, Snapshot, Worker

STAT = "cpu  100 10 50 800 20 5 5 10 90 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n"


def stat(name: str, cpu_s: float, *, is_zombie: bool = False, is_kernel_thread: bool = False) -> Stat:
    return Stat(name, cpu_s, is_zombie, is_kernel_thread)


def test_waiting_for_disks_is_idle_and_steal_is_busy():
    assert quiet.parse_cpu_times(STAT) == CpuTimes(busy=180, total=1000, steal=10)


def test_the_busy_share_is_of_all_processors():
    assert quiet.busy_share(CpuTimes(180, 1000, 0), CpuTimes(200, 1400, 0)) == 0.05
    assert quiet.busy_share(CpuTimes(180, 1000, 0), CpuTimes(180, 1000, 0)) == 0


def test_the_busiest_come_first_and_those_that_began_meanwhile_are_among_them():
    before = {1: stat("init", 5.0), 2: stat("idle", 1.0)}
    after = {1: stat("init", 5.5), 2: stat("idle", 1.0), 3: stat("new", 1.8)}

    assert quiet.workers(before, after, 2.0) == [Worker(3, "new", 0.9), Worker(1, "init", 0.25)]


def test_what_others_and_the_hypervisor_take_during_a_sample_is_neither_ours_nor_the_kernels(monkeypatch):
    monkeypatch.setattr(quiet.os, "cpu_count", lambda: 2)
    before = Snapshot(CpuTimes(0, 0, 0), {1: stat("compiler", 1.0)}, at=100.0)
    after = Snapshot(
        CpuTimes(150, 400, 20),
        {
            1: stat("compiler", 2.0),
            2: stat("wirefleet-tun", 1.5, is_zombie=True),  # ours: ended, and nobody has asked how
            3: stat("ksoftirqd/0", 0.5, is_kernel_thread=True),
        },
        at=102.0,
    )

    assert quiet.others_share(before, after) == pytest.approx(0.25 + 0.05)


def test_a_quiet_machine_is_not_refused_and_the_limit_itself_is_quiet():
    assert quiet.refusal(quiet.BUSY_LIMIT, []) is None


def test_a_refusal_names_who_works():
    reason = quiet.refusal(0.5, [Worker(7, "cc1", 0.98)])

    assert reason is not None
    assert "50%" in reason
    assert "cc1 (pid 7, 98% of a processor)" in reason


def test_where_nobody_who_is_left_has_worked_the_dead_or_the_host_have():
    assert "ended meanwhile, or this machine's host" in str(quiet.refusal(0.5, [Worker(7, "sh", 0.02)]))
    assert "ended meanwhile" not in str(quiet.refusal(0.5, [Worker(7, "cc1", 1000.0)]))


def test_a_round_is_noisy_when_the_machine_changes_between_its_samples():
    assert not quiet.is_round_noisy([10.0, 11.0, 10.5])
    assert quiet.is_round_noisy([10.0, 12.0, 10.5])


def test_a_round_is_noisy_when_others_work_during_one_of_its_samples():
    assert not quiet.is_round_noisy([10.0, 10.0], [0.02, quiet.BUSY_LIMIT])
    assert quiet.is_round_noisy([10.0, 10.0], [0.02, 0.3])


def test_slow_drift_over_rounds_makes_a_measure_noisy():
    steady, slower = [10.0, 10.1, 10.2], [12.4, 12.5, 12.6]

    assert not quiet.has_drifted([steady, steady])
    assert quiet.has_drifted([steady, slower])


def always_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "watch", lambda seconds: (0.7, [Worker(7, "cc1", 1.4)]))
    monkeypatch.setattr(quiet, "WAIT_FOR_QUIET_S", -1.0)


def test_a_busy_machine_is_refused(monkeypatch):
    always_busy(monkeypatch)

    with pytest.raises(MachineTooBusy, match="cc1") as refused:
        Guard(is_forced=False).require_quiet(2.0)
    assert refused.value.exit_code == 3


def test_force_measures_on_a_busy_machine_and_keeps_the_reason(monkeypatch):
    always_busy(monkeypatch)
    guard = Guard(is_forced=True)

    guard.require_quiet(2.0)

    assert guard.busy_shares == [0.7]
    assert "cc1" in guard.ignored[0]


def test_a_machine_that_becomes_quiet_in_time_is_measured(monkeypatch):
    shares = iter([0.7, 0.6, 0.02])
    monkeypatch.setattr(quiet, "watch", lambda seconds: (next(shares), []))
    guard = Guard(is_forced=False)

    guard.require_quiet(2.0)

    assert guard.busy_shares == [0.7, 0.6, 0.02]
