# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Windows service for the tests: pywin32's framework in python.exe; it runs until it is told to stop."""

from __future__ import annotations

import sys
import threading

assert sys.platform == "win32"

import servicemanager  # noqa: E402
import win32service  # noqa: E402
import win32serviceutil  # noqa: E402


class Service(win32serviceutil.ServiceFramework):
    """Waits."""

    _svc_name_ = "wirefleet-test"

    def __init__(self, arguments: list[str]) -> None:
        super().__init__(arguments)
        self._ending = threading.Event()

    def SvcStop(self) -> None:
        """Called by the control manager."""
        self.ReportServiceStatus(win32service.SERVICE_STOP_PENDING)
        self._ending.set()

    def SvcDoRun(self) -> None:
        """Called by the framework."""
        self._ending.wait()


servicemanager.Initialize()
servicemanager.PrepareToHostSingle(Service)
servicemanager.StartServiceCtrlDispatcher()
