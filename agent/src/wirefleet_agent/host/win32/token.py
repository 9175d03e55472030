# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""This process's token, by pywin32. Source: OpenProcessToken, GetTokenInformation, AdjustTokenPrivileges."""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import contextlib
import ctypes
from collections.abc import Collection, Iterator
from typing import Any

import pywintypes
import win32api
import win32security

_SE_PRIVILEGE_REMOVED = 4
_THIS_SYSTEM: Any = None  # the stubs want a name


class ProcessToken:
    """A TokenApi."""

    def user(self) -> str:
        with _opened(win32security.TOKEN_QUERY) as token:
            sid, _attributes = win32security.GetTokenInformation(token, win32security.TokenUser)
        try:
            name, domain, _kind = win32security.LookupAccountSid(None, sid)
        except pywintypes.error:
            return str(win32security.ConvertSidToStringSid(sid))
        return f"{domain}\\{name}" if domain else str(name)

    def groups(self) -> list[str]:
        with _opened(win32security.TOKEN_QUERY) as token:
            found = win32security.GetTokenInformation(token, win32security.TokenGroups)
            return [str(win32security.ConvertSidToStringSid(sid)) for sid, _attributes in found]

    def privileges(self) -> set[str]:
        with _opened(win32security.TOKEN_QUERY) as token:
            found = win32security.GetTokenInformation(token, win32security.TokenPrivileges)
            return {str(win32security.LookupPrivilegeName(_THIS_SYSTEM, luid)) for luid, _attributes in found}

    def remove(self, names: Collection[str]) -> None:
        with _opened(win32security.TOKEN_QUERY | win32security.TOKEN_ADJUST_PRIVILEGES) as token:
            luids: Any = [
                (win32security.LookupPrivilegeValue(_THIS_SYSTEM, name), _SE_PRIVILEGE_REMOVED) for name in names
            ]
            win32security.AdjustTokenPrivileges(token, False, luids)


@contextlib.contextmanager
def _opened(access: int) -> Iterator[Any]:
    """pywin32's errors are no OSErrors; here they become some."""
    try:
        token = win32security.OpenProcessToken(win32api.GetCurrentProcess(), access)
        try:
            yield token
        finally:
            win32api.CloseHandle(token)
    except pywintypes.error as error:
        raise ctypes.WinError(error.winerror) from error
