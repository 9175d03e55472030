# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""DPAPI by pywin32, never with a prompt: we may have no desktop. Source: learn.microsoft.com, CryptProtectData."""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import contextlib
from collections.abc import Iterator

import pywintypes
import win32crypt

from .security import PywinFileApi

_UI_FORBIDDEN = 0x1  # CRYPTPROTECT_UI_FORBIDDEN
_LOCAL_MACHINE = 0x4  # CRYPTPROTECT_LOCAL_MACHINE


class PywinDpapi:
    """See DpapiApi."""

    def is_local_system(self) -> bool:
        return PywinFileApi().account().is_system

    def protect(self, secret: bytes, entropy: bytes, *, for_machine: bool) -> bytes:
        flags = _UI_FORBIDDEN | (_LOCAL_MACHINE if for_machine else 0)
        with _as_os_error():
            return win32crypt.CryptProtectData(secret, None, entropy, None, None, flags)
        raise AssertionError("unreachable")

    def unprotect(self, sealed: bytes, entropy: bytes) -> bytes:
        with _as_os_error():
            return bytes(win32crypt.CryptUnprotectData(sealed, entropy, None, None, _UI_FORBIDDEN)[1])
        raise AssertionError("unreachable")


@contextlib.contextmanager
def _as_os_error() -> Iterator[None]:
    try:
        yield
    except pywintypes.error as error:
        raise OSError(0, error.strerror, None, error.winerror) from error
