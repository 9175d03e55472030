# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service control manager of Windows would do about a dead service."""

from __future__ import annotations

import pytest
from wirefleet_wsman.recovery import decide, is_failure

DELAYS_MS = (1000, 2000, 4000)
SERVICE = {
    "failure_actions": [{"type": "restart", "delay_ms": delay} for delay in DELAYS_MS],
    "failure_reset_period_sec": 86400,
}


@pytest.mark.parametrize(("earlier", "delay_s"), [(0, 1), (1, 2), (2, 4), (9, 4)])
def test_each_failure_takes_the_next_action_and_the_last_one_repeats(earlier, delay_s):
    failures = [float(number) for number in range(earlier)]

    assert decide(SERVICE, failures, 10.0).delay_s == delay_s


def test_a_reset_period_without_failure_begins_anew():
    assert decide(SERVICE, [0.0, 1.0], 1.0 + 86401).delay_s == 1


def test_a_service_without_actions_stays_down():
    assert decide({"failure_actions": []}, [], 0.0) is None
    assert decide({"failure_actions": [{"type": "none", "delay_ms": 0}]}, [], 0.0) is None


@pytest.mark.parametrize(
    ("said_stopped", "exit_code", "flag", "failed"),
    [(False, 0, False, True), (True, 0, True, False), (True, 1, False, False), (True, 1, True, True)],
)
def test_only_a_service_that_did_not_say_it_stopped_has_failed_unless_asked_for(said_stopped, exit_code, flag, failed):
    service = {"failure_actions_on_non_crash_failure": flag}

    assert is_failure(service, said_stopped=said_stopped, win32_exit_code=exit_code) is failed
