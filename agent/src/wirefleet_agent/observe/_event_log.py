# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Warnings and worse also go where Windows' administrators look: the Application event log, source ``WireFleet``."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from enum import Enum
from typing import Protocol

EVENT_SOURCE = "WireFleet"

_MAX_CHARACTERS = 31_839  # of one string of ReportEvent
_UNTOLD = frozenset({"event", "level", "timestamp", "exception"})


class EventSeverity(Enum):
    """The value is the event's identifier, for filters."""

    ERROR = 1
    WARNING = 2


_SEVERITIES = {
    "warning": EventSeverity.WARNING,
    "error": EventSeverity.ERROR,
    "critical": EventSeverity.ERROR,
    "exception": EventSeverity.ERROR,
}


class EventLog(Protocol):
    """One source of the system's event log."""

    def report(self, severity: EventSeverity, text: str) -> None:
        """Raises OSError."""


class EventLogCopy:
    """A structlog processor that stands behind the redaction: what it sees holds no secrets any more.

    An event log that fails costs its entry; the log file has it.
    """

    def __init__(self, event_log: EventLog) -> None:
        self._event_log = event_log

    def __call__(self, _logger: object, _method: str, event: Mapping[str, object]) -> Mapping[str, object]:
        severity = _SEVERITIES.get(str(event.get("level")))
        if severity is not None:
            with contextlib.suppress(OSError):
                self._event_log.report(severity, event_text(event))
        return event


def event_text(event: Mapping[str, object]) -> str:
    """The event's name, then its fields, one a line."""
    fields = (f"{name}: {value}" for name, value in event.items() if name not in _UNTOLD)
    return "\n".join([str(event.get("event")), *fields]).replace("\0", "")[:_MAX_CHARACTERS]
