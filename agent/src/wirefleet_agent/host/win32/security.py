# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Files with their security descriptors, by pywin32.

Everything goes through handles that were opened without following a reparse point, so that what was checked is what is
read. Source: learn.microsoft.com, CreateFileW, GetSecurityInfo, SetSecurityInfo, MoveFileExW.
"""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import contextlib
import msvcrt
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import ntsecuritycon
import pywintypes
import win32api
import win32con
import win32file
import win32security

from ..access_windows import ADMINISTRATORS, Account, Entry, FileSecurity

if TYPE_CHECKING:
    from _win32typing import PyHANDLE, PySECURITY_ATTRIBUTES, PySID

_SDDL_REVISION = 1
_SHARE_ALL = win32con.FILE_SHARE_READ | win32con.FILE_SHARE_WRITE | win32con.FILE_SHARE_DELETE
# A directory can only be opened with BACKUP_SEMANTICS; a link is opened itself with OPEN_REPARSE_POINT.
_AS_IT_IS = win32con.FILE_FLAG_BACKUP_SEMANTICS | 0x00200000
_LOOK = ntsecuritycon.READ_CONTROL | ntsecuritycon.FILE_READ_ATTRIBUTES
_OWNER_AND_RIGHTS = win32security.OWNER_SECURITY_INFORMATION | win32security.DACL_SECURITY_INFORMATION
_PROTECTED_DACL = 0x80000000 - (1 << 32)  # PROTECTED_DACL_SECURITY_INFORMATION as the signed number that pywin32 takes
# The stubs do not know that group and audit list may be missing.
_set_security_info = cast(Callable[..., None], win32security.SetSecurityInfo)
_GROUP_ENABLED = 0x00000004  # SE_GROUP_ENABLED


class PywinFileApi:
    """See FileApi."""

    def account(self) -> Account:
        token = win32security.OpenProcessToken(win32api.GetCurrentProcess(), win32con.TOKEN_QUERY)
        user, _ = win32security.GetTokenInformation(token, win32security.TokenUser)
        owner = win32security.GetTokenInformation(token, win32security.TokenOwner)
        groups = win32security.GetTokenInformation(token, win32security.TokenGroups)
        enabled = {_text(sid) for sid, attributes in groups if attributes & _GROUP_ENABLED}
        return Account(_text(user), _text(owner), ADMINISTRATORS in enabled)

    def create_directory(self, path: Path, sddl: str) -> None:
        with _as_os_error(path):
            win32file.CreateDirectory(str(path), _attributes(sddl))

    def create_file(self, path: Path, sddl: str, *, is_new: bool) -> int:
        how = win32con.CREATE_NEW if is_new else win32con.OPEN_ALWAYS
        access = win32con.GENERIC_READ | win32con.GENERIC_WRITE
        with _as_os_error(path):
            handle = win32file.CreateFile(str(path), access, _SHARE_ALL, _attributes(sddl), how, _AS_IT_IS, None)
        return _descriptor(handle, os.O_RDWR)

    def open_file(self, path: Path) -> int:
        return _descriptor(_open(path, win32con.GENERIC_READ), os.O_RDONLY)

    def security(self, path: Path) -> FileSecurity:
        handle = _open(path, _LOOK)
        try:
            return _security(int(handle), path)
        finally:
            handle.Close()

    def security_of(self, descriptor: int) -> FileSecurity:
        return _security(msvcrt.get_osfhandle(descriptor), Path(f"descriptor {descriptor}"))

    def set_security(self, path: Path, sddl: str) -> None:
        wanted = win32security.ConvertStringSecurityDescriptorToSecurityDescriptor(sddl, _SDDL_REVISION)
        owner = wanted.GetSecurityDescriptorOwner()
        what = win32security.DACL_SECURITY_INFORMATION | _PROTECTED_DACL
        access = _LOOK | ntsecuritycon.WRITE_DAC
        if owner is not None:
            what |= win32security.OWNER_SECURITY_INFORMATION
            access |= ntsecuritycon.WRITE_OWNER
        handle = _open(path, access)
        try:
            with _as_os_error(path):
                _set_security_info(
                    int(handle),
                    win32security.SE_FILE_OBJECT,
                    what,
                    owner,
                    None,
                    wanted.GetSecurityDescriptorDacl(),
                    None,
                )
        finally:
            handle.Close()

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def rename(self, source: Path, target: Path, *, replace: bool) -> None:
        flags = win32file.MOVEFILE_WRITE_THROUGH | (win32file.MOVEFILE_REPLACE_EXISTING if replace else 0)
        with _as_os_error(target):
            win32file.MoveFileEx(str(source), str(target), flags)


def _open(path: Path, access: int) -> PyHANDLE:
    with _as_os_error(path):
        return win32file.CreateFile(str(path), access, _SHARE_ALL, None, win32con.OPEN_EXISTING, _AS_IT_IS, None)
    raise AssertionError("unreachable")


def _descriptor(handle: PyHANDLE, flags: int) -> int:
    return msvcrt.open_osfhandle(int(handle.Detach()), flags | os.O_BINARY | os.O_NOINHERIT)


def _security(handle: int, path: Path) -> FileSecurity:
    with _as_os_error(path):
        attributes = int(win32file.GetFileInformationByHandle(handle)[0])
        found = win32security.GetSecurityInfo(handle, win32security.SE_FILE_OBJECT, _OWNER_AND_RIGHTS)
    rights = found.GetSecurityDescriptorDacl()
    entries = None if rights is None else tuple(_entry(rights.GetAce(i)) for i in range(rights.GetAceCount()))
    return FileSecurity(
        owner=_text(found.GetSecurityDescriptorOwner()),
        entries=entries,
        is_directory=bool(attributes & win32con.FILE_ATTRIBUTE_DIRECTORY),
        is_reparse_point=bool(attributes & 0x0400),  # FILE_ATTRIBUTE_REPARSE_POINT
    )


def _entry(ace: Sequence[Any]) -> Entry:
    """Of an object ACE, which has two GUIDs in the middle, too."""
    (kind, flags), mask, sid = ace[0], ace[1], ace[-1]
    return Entry(int(kind), int(flags), int(mask) & 0xFFFFFFFF, _text(sid))


def _attributes(sddl: str) -> PySECURITY_ATTRIBUTES:
    attributes = win32security.SECURITY_ATTRIBUTES()
    attributes.SECURITY_DESCRIPTOR = win32security.ConvertStringSecurityDescriptorToSecurityDescriptor(
        sddl, _SDDL_REVISION
    )
    return attributes


def _text(sid: PySID) -> str:
    return str(win32security.ConvertSidToStringSid(sid))


@contextlib.contextmanager
def _as_os_error(path: Path) -> Iterator[None]:
    """pywin32's error as Python's own, which becomes FileNotFoundError and the like by its Windows code."""
    try:
        yield
    except pywintypes.error as error:
        raise OSError(0, error.strerror, str(path), error.winerror) from error
