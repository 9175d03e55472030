# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""A Windows service that fails before it has a log, and the log of one that has."""

from __future__ import annotations

import json

import pytest
from support.windows_host import RecordingReporter
from wirefleet_agent.host.hosted import serve
from wirefleet_agent.host.log_setup import service_logs
from wirefleet_agent.host.paths import Paths
from wirefleet_agent.host.service_manager import ExitCode
from wirefleet_agent.observe import EventSeverity


class EventLog:
    def __init__(self) -> None:
        self.entries: list[tuple[EventSeverity, str]] = []

    def report(self, severity: EventSeverity, text: str) -> None:
        self.entries.append((severity, text))


class Sources:
    def register(self, source: str) -> None:
        raise PermissionError(13, "Access is denied")


@pytest.fixture
def tunnel(tmp_path):
    return Paths(tmp_path).tunnel("wf0")


@pytest.fixture
def event_log():
    return EventLog()


def test_a_service_that_cannot_have_its_log_says_so_in_the_event_log(tunnel, event_log):
    tunnel.log.parent.parent.mkdir(parents=True, exist_ok=True)
    tunnel.log.parent.write_text("no directory")

    code = serve(tunnel, RecordingReporter(), lambda _handler: None, event_log, Sources())

    assert code is ExitCode.INTERNAL_ERROR
    ((severity, text),) = event_log.entries
    assert severity is EventSeverity.ERROR
    assert str(tunnel.log.parent) in text


def test_another_programs_log_level_in_the_machines_environment_keeps_no_service_from_running(
    tmp_path, event_log, monkeypatch
):
    monkeypatch.setenv("LOG_LEVEL", "Trace")

    service_logs(tmp_path / "log", event_log)

    (line,) = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert (line["event"], line["value"]) == ("log_level_ignored", "Trace")
    assert [severity for severity, _ in event_log.entries] == [EventSeverity.WARNING]
