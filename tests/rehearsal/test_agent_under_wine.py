# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's own tests under Windows CPython in Wine."""

from __future__ import annotations

import pytest
from wirefleet_rehearsal.agent_tests import NOT_RUN

pytestmark = [pytest.mark.rehearsal, pytest.mark.slow]

MINIMUM_PASSED = 2200


def test_agents_tests_pass_under_windows_python(agent_tests, report):
    outcome = agent_tests.wait(timeout_s=400)

    report.measured["agent's tests under Windows CPython 3.11 in Wine"] = f"{outcome.passed} passed"
    report.measured["not run there"] = "; ".join(f"{name} ({why})" for name, why in NOT_RUN.items())
    assert outcome.failed == 0, outcome.output
    assert outcome.passed >= MINIMUM_PASSED
