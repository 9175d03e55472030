# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import ctypes
import sys

import pytest
from wirefleet_agent.host.boot_time_windows import SystemTimeOfDay

if sys.platform == "win32":
    from wirefleet_agent.host.win32.clock import boot_clock_s, boot_id

BOOT = 134_000_000_000_000_000


def test_the_structure_is_laid_out_as_the_kernel_writes_it():
    offsets = {name: getattr(SystemTimeOfDay, name).offset for name, _ in SystemTimeOfDay._fields_}

    assert ctypes.sizeof(SystemTimeOfDay) == 48
    assert offsets == {
        "boot_time": 0,
        "current_time": 8,
        "time_zone_bias": 16,
        "time_zone_id": 24,
        "reserved": 28,
        "boot_time_bias": 32,
        "sleep_time_bias": 40,
    }


def test_a_clock_step_is_no_boot_and_another_boot_is():
    step = 36_000_000_000

    first = SystemTimeOfDay(boot_time=BOOT).boot_id()

    assert SystemTimeOfDay(boot_time=BOOT + step, boot_time_bias=step).boot_id() == first
    assert SystemTimeOfDay(boot_time=BOOT - step, boot_time_bias=(1 << 64) - step).boot_id() == first
    assert SystemTimeOfDay(boot_time=BOOT + 1).boot_id() != first


@pytest.mark.windows_only
def test_this_boot_has_one_id_and_a_clock_that_grows():
    before = boot_clock_s()

    assert boot_id() == boot_id()
    assert int(boot_id(), 16) > 0
    assert before <= boot_clock_s() < before + 60
