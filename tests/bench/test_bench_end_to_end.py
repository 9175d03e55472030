# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PROGRAMS = ("ip", "nsenter", "iperf3", "ping", "ss", "wg", "wireguard-go")
RUN_TIMEOUT_S = 120


def namespaces(pid: int) -> list[str]:
    return [each.name for each in Path("/run/netns").glob(f"wf-b-{pid}-*")]


@pytest.mark.netns
@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0 or not Path("/dev/net/tun").exists(), reason="needs root and /dev/net/tun")
def test_one_short_round_tells_both_implementations_and_leaves_nothing_behind(tmp_path):
    """--force: other tests run beside it, and its figures prove nothing."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    assert not missing, f"scripts/setup.sh test installs {missing}"
    result = tmp_path / "result.json"
    command = [sys.executable, str(CHECKOUT / "bench" / "bench.py"), "--only", "tcp,ping", "--rounds", "1"]
    command += ["--seconds", "1", "--force", "--no-plot", "--json", str(result)]

    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    printed, told = process.communicate(timeout=RUN_TIMEOUT_S)

    assert process.returncode == 0, told
    assert "FORCED" in printed
    assert namespaces(process.pid) == []
    document = json.loads(result.read_text())
    assert document["is_forced"]
    assert document["is_partial"]
    for measure, figure in (("tcp", "mbit_per_s"), ("tcp", "cpu_s_per_gib_sender"), ("ping", "p99_us")):
        medians = document["measures"][measure]["figures"][figure]["median"]
        assert set(medians) >= {"wirefleet", "wireguard-go"}
        assert all(value > 0 for value in medians.values())
    assert document["measures"]["tcp"]["figures"]["mbit_per_s"]["ratio"]["wireguard-go"]["median"] > 0
