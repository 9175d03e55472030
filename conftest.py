# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all tests share.

* In CI nothing is skipped: a missing tool or right is a failure there, whatever a test says about it.
* ``linux_only`` and ``windows_only`` deselect a test on the other platform: what it is about does not exist there. The
  Windows half runs under Wine in the rehearsal.
* Several workers (``-n``): a file stays on one worker, all tests of the lab on one, all of the rehearsal on one, since
  they share a fleet; and what takes longest begins first.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from typing import Any

import pytest

IS_CI = os.environ.get("CI") == "true"
LAB = "tests/lab/"
REHEARSAL = "tests/rehearsal/test_"
LONGEST_FIRST = (REHEARSAL, "agent/tests/interop/test_interop_rekey.py", LAB, "agent/tests/interop/")


FOREIGN = "linux_only" if sys.platform == "win32" else "windows_only"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    foreign = [item for item in items if item.get_closest_marker(FOREIGN)]
    if foreign:
        config.hook.pytest_deselected(items=foreign)
        items[:] = [item for item in items if item not in foreign]
    items.sort(key=lambda item: next((i for i, start in enumerate(LONGEST_FIRST) if item.nodeid.startswith(start)), 9))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            shared = next((start for start in (LAB, REHEARSAL) if nodeid.startswith(start)), "")
            return shared or nodeid.partition("::")[0]

    config.option.loadscopereorder = False
    return ByFile(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if IS_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and in CI nothing is: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if IS_CI and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped, and in CI nothing is: {report.longrepr}"
    return report
