# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Where a service's log goes, and the level that the operator's environment asks for."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import UsageError
from ..observe import EventLog, Logs, get_logger, parse_log_level
from .private_files import os_failure

DEFAULT_LEVEL = "info"


def configured_logs(path: Path | None) -> Logs:
    """path: None is stderr. Raises UsageError for $LOG_LEVEL, DriverError for the file."""
    level = os.environ.get("LOG_LEVEL")
    try:
        parse_log_level(level or DEFAULT_LEVEL)
    except ValueError as error:
        raise UsageError(str(error), path="LOG_LEVEL") from error
    return _opened(path, level, None)


def service_logs(path: Path, event_log: EventLog) -> Logs:
    """For a service of Windows, where such a variable holds for all programs of the machine: a $LOG_LEVEL that is none
    of ours is another program's, and passed over. Raises DriverError for the file."""
    level = os.environ.get("LOG_LEVEL")
    try:
        parse_log_level(level or DEFAULT_LEVEL)
    except ValueError:
        logs = _opened(path, None, event_log)
        get_logger("host").warning("log_level_ignored", variable="LOG_LEVEL", value=level)
        return logs
    return _opened(path, level, event_log)


def _opened(path: Path | None, level: str | None, event_log: EventLog | None) -> Logs:
    logs = Logs()
    try:
        logs.configure(level=level or DEFAULT_LEVEL, is_level_fixed=bool(level), path=path, event_log=event_log)
    except OSError as error:
        raise os_failure("open", path or Path(os.devnull), error) from error
    return logs
