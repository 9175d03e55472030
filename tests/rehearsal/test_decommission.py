# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts are taken out of service: nothing of ours is left on them."""

from __future__ import annotations

import pytest
from wirefleet_rehearsal.snapshot import difference, snapshot

pytestmark = [pytest.mark.rehearsal, pytest.mark.slow]


@pytest.mark.usefixtures("converged_afterwards")
@pytest.mark.parametrize("host", ["spoke-1", "hub-2"])
def test_decommissioned_host_is_as_it_was_before(fleet, first_run, host):
    arguments = ("--limit", host, "-e", f"wirefleet_confirm_decommission={host}")
    converged = snapshot(fleet.windows(host))
    check = fleet.play("decommission", *arguments, "--check")
    assert check.returncode == 0, check.tail
    assert difference(converged, snapshot(fleet.windows(host))) == {}

    run = fleet.play("decommission", *arguments)

    assert run.returncode == 0, run.tail
    assert difference(first_run.untouched[host], snapshot(fleet.windows(host))) == {}
    assert fleet.service_pids(host) == []
    again = fleet.play("decommission", *arguments)
    assert again.returncode == 0, again.tail
    assert again.changed == {}
