# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Structures of WinVerifyTrust on 64-bit Windows, and how it is asked. Source: wintrust.h as Microsoft documents it."""

from __future__ import annotations

import ctypes
import uuid
from collections.abc import Callable

WTD_UI_NONE = 2
WTD_REVOKE_NONE = 0
WTD_CHOICE_FILE = 1
WTD_STATEACTION_VERIFY = 1
WTD_STATEACTION_CLOSE = 2
WTD_REVOCATION_CHECK_NONE = 0x10
WTD_CACHE_ONLY_URL_RETRIEVAL = 0x1000
WTD_UICONTEXT_EXECUTE = 0
ACTION_GENERIC_VERIFY_V2 = uuid.UUID("00aac56b-cd44-11d0-8cc2-00c04fc295ee")
CERT_E_UNTRUSTEDROOT = 0x800B0109
CERT_E_CHAINING = 0x800B010A

_UNKNOWN_ROOT = frozenset({CERT_E_UNTRUSTEDROOT, CERT_E_CHAINING})


class Guid(ctypes.Structure):
    """GUID: three integers in the machine's order and eight bytes."""

    _fields_ = (("bytes", ctypes.c_uint8 * 16),)
    _align_ = 4

    @classmethod
    def of(cls, value: uuid.UUID) -> Guid:
        return cls.from_buffer_copy(value.bytes_le)


class WintrustFileInfo(ctypes.Structure):
    """WINTRUST_FILE_INFO."""

    _fields_ = (
        ("struct_bytes", ctypes.c_uint32),
        ("file_path", ctypes.c_wchar_p),
        ("file", ctypes.c_void_p),
        ("known_subject", ctypes.c_void_p),
    )


class WintrustData(ctypes.Structure):
    """WINTRUST_DATA; ``subject`` is the union, here always the file."""

    _fields_ = (
        ("struct_bytes", ctypes.c_uint32),
        ("policy_callback_data", ctypes.c_void_p),
        ("sip_client_data", ctypes.c_void_p),
        ("ui_choice", ctypes.c_uint32),
        ("revocation_checks", ctypes.c_uint32),
        ("union_choice", ctypes.c_uint32),
        ("subject", ctypes.c_void_p),
        ("state_action", ctypes.c_uint32),
        ("state_data", ctypes.c_void_p),
        ("url_reference", ctypes.c_wchar_p),
        ("provider_flags", ctypes.c_uint32),
        ("ui_context", ctypes.c_uint32),
        ("signature_settings", ctypes.c_void_p),
    )


def file_to_verify(path: str, file: int, *, may_fetch: bool) -> tuple[WintrustData, WintrustFileInfo]:
    """What WinVerifyTrust is asked about an open file; keep both as long as it runs.

    may_fetch: certificates may come from the network. No revocation list is asked in any case: a tunnel starts before
    there is a network.
    """
    info = WintrustFileInfo(struct_bytes=ctypes.sizeof(WintrustFileInfo), file_path=path, file=file)
    data = WintrustData(
        struct_bytes=ctypes.sizeof(WintrustData),
        ui_choice=WTD_UI_NONE,
        revocation_checks=WTD_REVOKE_NONE,
        union_choice=WTD_CHOICE_FILE,
        subject=ctypes.addressof(info),
        state_action=WTD_STATEACTION_VERIFY,
        provider_flags=WTD_REVOCATION_CHECK_NONE | (0 if may_fetch else WTD_CACHE_ONLY_URL_RETRIEVAL),
        ui_context=WTD_UICONTEXT_EXECUTE,
    )
    return data, info


def trust_status(ask: Callable[[bool], int]) -> int:
    """0 or the TRUST_E_ or CERT_E_ code. ask: one call of WinVerifyTrust, told whether it may use the network.

    A new host knows few roots; Windows fetches others from Windows Update when they are first needed. Until then a good
    signature ends in a root that it does not know, so in that case only it is asked again with the network.
    """
    status = ask(False)
    return ask(True) if status in _UNKNOWN_ROOT else status
