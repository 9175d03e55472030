# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""JSON logs: one object per line with ``timestamp``, ``level``, ``event`` and the event's fields."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger

from ._event_log import EventLog, EventLogCopy
from ._log_file import LogFile
from ._redaction import redact_event

Logger = FilteringBoundLogger

_LEVELS: Mapping[str, int] = {
    "debug": logging.DEBUG,
    "verbose": logging.DEBUG,  # wireguard-go's word
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "silent": logging.CRITICAL + 10,  # wireguard-go's word
}


def parse_log_level(text: str) -> int:
    """The number of a level's name; raises ValueError that lists the names."""
    try:
        return _LEVELS[text.strip().lower()]
    except KeyError:
        raise ValueError(f"a log level is one of {', '.join(_LEVELS)}, not {text!r}") from None


class _Output:
    """Where lines go. A full disk or a reader that has gone costs lines, never the service that wrote them."""

    def __init__(self, output: LogFile | TextIO) -> None:
        self._output = output

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._output.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._output.flush()


class Logs:
    """The process's log output. ``configure`` may be called again: level and output change at once."""

    def __init__(self) -> None:
        self._file: LogFile | None = None
        self._stream: TextIO | None = None
        self._event_log: EventLog | None = None
        self._is_level_fixed = False

    def configure(
        self,
        *,
        level: str,
        is_level_fixed: bool = False,
        path: Path | None = None,
        stream: TextIO | None = None,
        event_log: EventLog | None = None,
    ) -> None:
        """level: a name for ``parse_log_level``; fixed: ``set_level`` does not change it. path: a file; else
        ``stream``, else stderr. event_log: gets warnings and worse as well."""
        number = parse_log_level(level)
        stale, self._file = self._file, None if path is None else LogFile(path)
        self._stream = stream
        self._event_log = event_log
        self._is_level_fixed = is_level_fixed
        self._set_up(number)
        if stale is not None:
            stale.close()

    def set_level(self, level: str) -> None:
        """What the configuration says; the operator's environment goes before it."""
        number = parse_log_level(level)
        if not self._is_level_fixed:
            self._set_up(number)

    def _set_up(self, number: int) -> None:
        output = _Output(self._file if self._file is not None else (self._stream or sys.stderr))
        factory = structlog.WriteLoggerFactory(cast(TextIO, output))
        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
                structlog.processors.format_exc_info,
                redact_event,
                *([] if self._event_log is None else [EventLogCopy(self._event_log)]),
                _order_fields,
                structlog.processors.JSONRenderer(),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(min(number, logging.CRITICAL)),
            logger_factory=_no_output if number > logging.CRITICAL else factory,
            cache_logger_on_first_use=False,
        )
        _forward_stdlib(number)

    def reopen(self) -> None:
        """Follow a rotated file; nothing to do for a stream."""
        if self._file is not None:
            self._file.reopen()


def get_logger(room: str) -> Logger:
    """The logger of one room of the agent; ``room`` is a field of all its lines."""
    return cast(Logger, structlog.get_logger(room=room))


def _no_output(*_arguments: object) -> object:
    return structlog.ReturnLogger()


def _order_fields(_logger: object, _method: str, event: Mapping[str, object]) -> dict[str, object]:
    first = ("timestamp", "level", "event")
    return {name: event[name] for name in first if name in event} | {k: v for k, v in event.items() if k not in first}


class _Forwarder(logging.Handler):
    """Libraries log through ``logging``: their warnings become lines of ours."""

    def __init__(self, level: int, emit: Callable[..., object]) -> None:
        super().__init__(level)
        self._emit = emit

    def emit(self, record: logging.LogRecord) -> None:
        self._emit(record.levelno, "library_message", library=record.name, message=record.getMessage())


def _forward_stdlib(level: int) -> None:
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, _Forwarder)]:
        root.removeHandler(handler)
    root.addHandler(_Forwarder(max(level, logging.WARNING), get_logger("library").log))
