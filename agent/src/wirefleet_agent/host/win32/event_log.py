# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Our source of the Application event log. Source: Reporting Events, Event Sources of Microsoft's documentation."""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import contextlib
import ctypes
import winreg
from typing import Any

import pywintypes
import win32evtlog

from ...observe import EVENT_SOURCE, EventSeverity

_SOURCES = r"SYSTEM\CurrentControlSet\Services\EventLog\Application"
# Ships with every Windows and its messages 1 to 1000 are just the text: no file of ours has to stay in place.
_MESSAGE_FILE = r"%SystemRoot%\System32\EventCreate.exe"
_TYPES_SUPPORTED = 7  # error, warning, information

_TYPES = {
    EventSeverity.ERROR: win32evtlog.EVENTLOG_ERROR_TYPE,
    EventSeverity.WARNING: win32evtlog.EVENTLOG_WARNING_TYPE,
}


class WindowsEventLog:
    """An EventLog of the source that ``register_source`` makes known."""

    def __init__(self) -> None:
        self._handle: Any = None

    def report(self, severity: EventSeverity, text: str) -> None:
        try:
            if self._handle is None:
                self._handle = win32evtlog.RegisterEventSource(None, EVENT_SOURCE)  # this host
            win32evtlog.ReportEvent(self._handle, _TYPES[severity], 0, severity.value, None, (text,), None)
        except pywintypes.error as error:
            raise ctypes.WinError(error.winerror) from error


class EventSources:
    """The registered sources; an EventSourceStore."""

    def is_registered(self, source: str) -> bool:
        """With the message file that we give. Raises OSError."""
        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, f"{_SOURCES}\\{source}") as key:
                return bool(winreg.QueryValueEx(key, "EventMessageFile")[0] == _MESSAGE_FILE)
        except FileNotFoundError:
            return False

    def register(self, source: str) -> None:
        """Idempotent. Raises OSError."""
        with winreg.CreateKeyEx(winreg.HKEY_LOCAL_MACHINE, f"{_SOURCES}\\{source}", 0, winreg.KEY_WRITE) as key:
            winreg.SetValueEx(key, "EventMessageFile", 0, winreg.REG_EXPAND_SZ, _MESSAGE_FILE)
            winreg.SetValueEx(key, "TypesSupported", 0, winreg.REG_DWORD, _TYPES_SUPPORTED)

    def exists(self, source: str) -> bool:
        """With any content. Raises OSError."""
        try:
            winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, f"{_SOURCES}\\{source}").Close()
        except FileNotFoundError:
            return False
        return True

    def remove(self, source: str) -> None:
        """Idempotent. Raises OSError."""
        with contextlib.suppress(FileNotFoundError):
            winreg.DeleteKey(winreg.HKEY_LOCAL_MACHINE, f"{_SOURCES}\\{source}")
