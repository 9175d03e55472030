# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Where a service's log goes, and the level that the operator's environment asks for."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import UsageError
from ..observe import EventLog, Logs, parse_log_level
from .private_files import os_failure

DEFAULT_LEVEL = "info"


def configured_logs(path: Path | None, event_log: EventLog | None = None) -> Logs:
    """path: None is stderr. Raises UsageError for $LOG_LEVEL, DriverError for the file."""
    level = os.environ.get("LOG_LEVEL")
    try:
        parse_log_level(level or DEFAULT_LEVEL)
    except ValueError as error:
        raise UsageError(str(error), path="LOG_LEVEL") from error
    logs = Logs()
    try:
        logs.configure(level=level or DEFAULT_LEVEL, is_level_fixed=level is not None, path=path, event_log=event_log)
    except OSError as error:
        raise os_failure("open", path or Path(os.devnull), error) from error
    return logs
