# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts are taken out of service: nothing of ours is left on them. The last scenario: they stay out."""

from __future__ import annotations

import pytest
from wirefleet_rehearsal.snapshot import difference, snapshot

pytestmark = [pytest.mark.rehearsal, pytest.mark.slow]


HOSTS = ("spoke-1", "hub-2")


def test_decommissioned_hosts_are_as_they_were_before(fleet, first_run):
    arguments = ("--limit", ",".join(HOSTS), "-e", f"wirefleet_confirm_decommission={','.join(HOSTS)}")
    converged = {host: snapshot(fleet.windows(host)) for host in HOSTS}
    check = fleet.play("decommission", *arguments, "--check")
    assert check.returncode == 0, check.tail
    assert [difference(converged[host], snapshot(fleet.windows(host))) for host in HOSTS] == [{}, {}]

    run = fleet.play("decommission", *arguments)

    assert run.returncode == 0, run.tail
    assert [difference(first_run.untouched[host], snapshot(fleet.windows(host))) for host in HOSTS] == [{}, {}]
    assert [fleet.service_pids(host) for host in HOSTS] == [[], []]
    again = fleet.play("decommission", *arguments)
    assert again.returncode == 0, again.tail
    assert again.changed == {}
