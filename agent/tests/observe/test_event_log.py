# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import io

import pytest
import structlog
from support.windows_host import RecordingEventLog
from wirefleet_agent.keys import PrivateKey
from wirefleet_agent.observe import EventSeverity, Logs, get_logger

SECRET = PrivateKey(bytes(range(32)))


@pytest.fixture
def lines():
    yield io.StringIO()
    structlog.reset_defaults()


@pytest.fixture
def event_log(lines):
    event_log = RecordingEventLog()
    Logs().configure(level="debug", stream=lines, event_log=event_log)
    return event_log


def test_warnings_and_worse_are_copied_and_the_rest_is_not(event_log):
    log = get_logger("host")
    for say in (log.debug, log.info, log.warning, log.error, log.critical):
        say("something_happened")

    severities = [severity for severity, _ in event_log.entries]
    assert severities == [EventSeverity.WARNING, EventSeverity.ERROR, EventSeverity.ERROR]


def test_an_entry_names_the_event_and_its_fields(event_log, lines):
    get_logger("host").warning("config_reverted", reason="expired", digest="ab")

    assert event_log.entries[0][1].splitlines() == ["config_reverted", "room: host", "reason: expired", "digest: ab"]
    assert '"event": "config_reverted"' in lines.getvalue()


def test_no_secret_reaches_the_event_log(event_log):
    get_logger("host").error("mistake", private_key="abc", key=SECRET, conf="PrivateKey = aGVsbG8=")

    text = event_log.entries[0][1]
    assert "abc" not in text
    assert "aGVsbG8=" not in text
    assert text.count("(redacted)") == 3


def test_an_event_log_that_fails_costs_its_entry_only(event_log, lines):
    event_log.fail = OSError(1717, "the interface is unknown")

    get_logger("host").error("tunnel_not_applied")

    assert "tunnel_not_applied" in lines.getvalue()


def test_an_entry_is_never_longer_than_windows_takes(event_log):
    get_logger("host").error("mistake", error="x" * 50_000 + "\0")

    assert len(event_log.entries[0][1]) == 31_839
