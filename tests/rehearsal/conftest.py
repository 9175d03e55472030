# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rehearsal of the tests' own, beside whatever rehearsal the user runs, with a fleet on it and a report at the end.

WIREFLEET_REHEARSAL_KEEP=1 works on the user's own rehearsal instead and leaves it standing, for trying one scenario.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "wsman"), str(HERE.parents[1] / "lab")]

from wirefleet_rehearsal import lifecycle  # noqa: E402
from wirefleet_rehearsal.agent_tests import AgentTests  # noqa: E402
from wirefleet_rehearsal.fleet import Fleet, Run  # noqa: E402
from wirefleet_rehearsal.report import Report, not_shown_by  # noqa: E402
from wirefleet_rehearsal.snapshot import snapshot  # noqa: E402
from wirefleet_rehearsal.topology import WINDOWS_HOSTS, Rehearsal  # noqa: E402

CHECKOUT = HERE.parents[1]
REPORTS = CHECKOUT / "build" / "rehearsal"
REPORT = pytest.StashKey[Report]()


# The agent's tests run beside the first scenarios and are over before speed is measured; removal comes last.
AGENT_TESTS = "test_agent_under_wine"
ORDER = ("test_site", "test_changes", "test_interop", AGENT_TESTS, "test_failures", "test_decommission")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: ORDER.index(item.path.stem) if item.path.stem in ORDER else -1)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[REPORT] = Report()


def _say(config: pytest.Config, line: str) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        elapsed = time.time() - config.stash[REPORT].started
        reporter.write_line(f"rehearsal {elapsed:6.1f} s  {line}")


class _Progress:
    """Prints one line per scenario and writes it into the report."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if "tests/rehearsal/test_" not in report.nodeid or (report.when != "call" and report.passed):
            return
        title = report.nodeid.partition("::")[2].removeprefix("test_").replace("_", " ")
        outcome = report.outcome if report.when == "call" else f"{report.outcome} in {report.when}"
        self.config.stash[REPORT].step(title, "failed" if report.failed else report.outcome, report.duration)
        _say(self.config, f"{outcome:7} {title} ({report.duration:.1f} s)")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        report = self.config.stash[REPORT]
        if report.steps:
            for path in report.write(REPORTS):
                terminalreporter.write_line(f"report: {path}")
            terminalreporter.write_line(report.as_text())


def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.pluginmanager.register(_Progress(session.config), "rehearsal-progress")


@pytest.fixture(scope="session")
def report(pytestconfig: pytest.Config) -> Report:
    return pytestconfig.stash[REPORT]


@pytest.fixture(scope="session")
def agent_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentTests]:
    tests = AgentTests(tmp_path_factory.mktemp("toolchain"))
    try:
        yield tests
    finally:
        tests.close()


@pytest.fixture(scope="session")
def fresh(request: pytest.FixtureRequest, pytestconfig: pytest.Config, report: Report) -> Iterator[Fleet]:
    """Hosts that are up and have no agent yet; taken away at the end, also after a failure."""
    tmp_path_factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
    keeps = os.environ.get("WIREFLEET_REHEARSAL_KEEP") == "1"
    home = tmp_path_factory.mktemp("rehearsal")
    prefix, state = ("wf-r", CHECKOUT / ".rehearsal") if keeps else (f"wf-r{os.getpid() % 256:02x}", home / "state")
    fleet = Fleet(Rehearsal(prefix, state), home)
    try:
        lifecycle.up(fleet.rehearsal, lambda line: _say(pytestconfig, line))
        if any(item.path.stem == AGENT_TESTS for item in request.session.items):
            request.getfixturevalue("agent_tests").start()
        yield fleet
        report.not_shown = not_shown_by(fleet.rehearsal.directory(name) / "wsman" for name in WINDOWS_HOSTS)
    finally:
        REPORTS.mkdir(parents=True, exist_ok=True)
        if (home / "ansible.log").exists():
            shutil.copy2(home / "ansible.log", REPORTS / "ansible.log")
        if not keeps:
            lifecycle.down(fleet.rehearsal)


@dataclass
class FirstRun:
    """What happened when the fleet was brought up from nothing."""

    untouched: dict[str, dict[str, str]]
    check: Run
    after_check: dict[str, dict[str, str]]
    run: Run


def _snapshots(fleet: Fleet) -> dict[str, dict[str, str]]:
    return {name: snapshot(fleet.windows(name)) for name in WINDOWS_HOSTS}


@pytest.fixture(scope="session")
def first_run(fresh: Fleet, report: Report, pytestconfig: pytest.Config) -> FirstRun:
    """The whole way from untouched hosts: first in check mode, then for real."""
    untouched = _snapshots(fresh)
    check = fresh.play("site", "--check", "--diff")
    _say(pytestconfig, f"site.yml in check mode: exit code {check.returncode} ({check.duration_s:.1f} s)")
    after_check = _snapshots(fresh)
    run = fresh.play("site")
    _say(pytestconfig, f"site.yml: exit code {run.returncode} ({run.duration_s:.1f} s)")
    report.measured["site.yml from nothing, s"] = round(run.duration_s, 1)
    return FirstRun(untouched, check, after_check, run)


@pytest.fixture
def fleet(fresh: Fleet, first_run: FirstRun) -> Fleet:
    """The converged fleet. A scenario that changes it brings it back."""
    assert first_run.run.returncode == 0, first_run.run.tail
    return fresh
