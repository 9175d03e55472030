# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import ctypes

from wirefleet_agent.host.device_layouts import DeviceInfo, problem_code

STARTED, HAS_PROBLEM = 0x0008, 0x0400  # DN_STARTED, DN_HAS_PROBLEM


def test_a_device_is_laid_out_as_64_bit_windows_has_it():
    offsets = {name: getattr(DeviceInfo, name).offset for name, _ in DeviceInfo._fields_}

    assert ctypes.sizeof(DeviceInfo) == DeviceInfo.empty().size == 32
    assert offsets == {"size": 0, "class_guid": 4, "dev_inst": 20, "reserved": 24}


def test_a_problems_number_counts_only_where_there_is_a_problem():
    assert problem_code(STARTED, 0x34) == 0
    assert problem_code(HAS_PROBLEM, 0x34) == 0x34
