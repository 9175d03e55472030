# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The end of this process that nothing in it can hold up.

Source: learn.microsoft.com, ExitProcess, TerminateProcess.
"""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import os
from typing import NoReturn

import win32api


def end_process(code: int) -> NoReturn:
    """At once: unlike ``os._exit``, which is ExitProcess, without a word from the DLLs that are loaded. One of them may
    be what hangs."""
    win32api.TerminateProcess(win32api.GetCurrentProcess(), code)
    os._exit(code)  # not reached
