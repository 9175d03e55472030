# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wine hosts as such: nothing of them is left."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from wirefleet_lab.machine import add_namespace, run, stop_processes
from wirefleet_rehearsal.host import WineHost

pytestmark = [pytest.mark.rehearsal, pytest.mark.slow]


def test_host_that_was_booted_twice_leaves_nothing_behind(tmp_path):
    namespace = f"wf-rh{os.getpid() % 256:02x}"
    add_namespace(namespace)
    host = WineHost("host", tmp_path / "host", namespace, cpu=0)
    try:
        host.build()
        sessions = []
        for _boot in range(2):
            host.boot()
            sessions.append(Path("/tmp") / (host.prefix / "wineserver").read_text().strip())
            assert sessions[-1].is_dir()
            host.power_cut()

        host.remove()

        assert [path for path in (*sessions, host.directory) if path.exists()] == []
        assert host.pids() == []
    finally:
        host.remove()
        stop_processes(namespace)
        run(["ip", "netns", "delete", namespace])
