# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Whether Windows trusts the signature of a file. Source: WinVerifyTrust of Microsoft's documentation."""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes

from ..win32_errors import Win32Error
from ..wintrust_layouts import ACTION_GENERIC_VERIFY_V2, WTD_STATEACTION_CLOSE, Guid, file_to_verify, trust_status

_NO_WINDOW = -1

_wintrust = ctypes.WinDLL("wintrust", winmode=0x800)  # from system32 only
_verify = _wintrust.WinVerifyTrust
_verify.argtypes = [ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_void_p]
_verify.restype = ctypes.c_int32


def check_signature(path: str, file: int) -> None:
    """Ask about the file behind the handle ``file``, whatever stands at ``path`` by then.

    Raises Win32Error with the TRUST_E_ or CERT_E_ code when there is no signature or it is not trusted.
    """
    status = trust_status(lambda may_fetch: _ask(path, file, may_fetch))
    if status:
        raise Win32Error("WinVerifyTrust", status)


def _ask(path: str, file: int, may_fetch: bool) -> int:
    action = Guid.of(ACTION_GENERIC_VERIFY_V2)
    data, info = file_to_verify(path, file, may_fetch=may_fetch)
    status: int = _verify(_NO_WINDOW, ctypes.byref(action), ctypes.byref(data))
    data.state_action = WTD_STATEACTION_CLOSE
    _verify(_NO_WINDOW, ctypes.byref(action), ctypes.byref(data))
    del info  # the structure above points to it
    return status & 0xFFFFFFFF
