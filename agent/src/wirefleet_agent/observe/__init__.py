# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What an operator can see of a running agent: JSON logs, counters; and that secrets are never among it."""

from ._counters import Counters, TunnelCounts, drop_counts
from ._event_log import EVENT_SOURCE, EventLog, EventSeverity
from ._log_file import LogFile
from ._logs import Logger, Logs, get_logger, parse_log_level
from ._redaction import REDACTED, is_secret_name, redact, redact_event

__all__ = [
    "EVENT_SOURCE",
    "REDACTED",
    "Counters",
    "EventLog",
    "EventSeverity",
    "LogFile",
    "Logger",
    "Logs",
    "TunnelCounts",
    "drop_counts",
    "get_logger",
    "is_secret_name",
    "parse_log_level",
    "redact",
    "redact_event",
]
