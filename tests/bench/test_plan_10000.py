# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

LIMIT_S = 15.0


def bench():
    path = Path(__file__).with_name("plan_10000.py")
    spec = importlib.util.spec_from_file_location("plan_10000", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_ten_thousand_hosts_are_planned_in_time_and_one_more_touches_only_the_hubs(tmp_path, capsys):
    """The best run counts, and the time that processors worked: neither says what else the machine had to do."""
    seconds = bench().measure(10000, "ini", tmp_path)

    with capsys.disabled():
        print("\nwg_plan, 10,000 hosts:", *(f"{step}: {value};" for step, value in seconds.items()))
    assert min(seconds[step].worked for step in ("first", "unchanged", "one added")) < LIMIT_S
