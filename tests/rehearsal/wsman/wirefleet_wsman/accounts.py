# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts and their SIDs, as far as a rehearsal knows any. Source: documentation of well-known SIDs."""

from __future__ import annotations

import hashlib
import re
import struct

from wirefleet_wsman.inside.client import Inside

_SID = re.compile(r"^S-1-\d+(-\d+)+$")
_WELL_KNOWN = {
    "S-1-1-0": ("Everyone",),
    "S-1-3-0": ("CREATOR OWNER",),
    "S-1-5-11": ("NT AUTHORITY\\Authenticated Users", "Authenticated Users"),
    "S-1-5-18": ("NT AUTHORITY\\SYSTEM", "SYSTEM", "LocalSystem"),
    "S-1-5-19": ("NT AUTHORITY\\LOCAL SERVICE", "LOCAL SERVICE", "LocalService", "NT AUTHORITY\\LocalService"),
    "S-1-5-20": ("NT AUTHORITY\\NETWORK SERVICE", "NETWORK SERVICE", "NetworkService", "NT AUTHORITY\\NetworkService"),
    "S-1-5-32-544": ("BUILTIN\\Administrators", "Administrators"),
    "S-1-5-32-545": ("BUILTIN\\Users", "Users"),
    "S-1-5-80-0": ("NT SERVICE\\ALL SERVICES",),
    "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464": ("NT SERVICE\\TrustedInstaller",),
}
_BY_NAME = {name.casefold(): sid for sid, names in _WELL_KNOWN.items() for name in names}
_MACHINE = "S-1-5-21-1004336348-1177238915-682003330"


class UnknownAccountError(Exception):
    """No such account on this host."""


class Accounts:
    """Looks accounts up. A virtual account `NT SERVICE\\name` exists only as long as its service does."""

    def __init__(self, computer: str, inside: Inside) -> None:
        self._local = {"administrator": f"{_MACHINE}-500", "guest": f"{_MACHINE}-501"}
        self._computer = computer
        self._inside = inside

    @property
    def machine_sid(self) -> str:
        """The SID of the computer's own accounts."""
        return _MACHINE

    def sid_of(self, name: str) -> str:
        """The SID of an account. Raises UnknownAccountError."""
        if _SID.match(name):
            return name
        if sid := _BY_NAME.get(name.casefold()):
            return sid
        domain, _, account = name.rpartition("\\")
        if domain.casefold() == "nt service":
            if not self._inside.call("service_query", name=account)["exists"]:
                raise UnknownAccountError(f"{name}: there is no service {account!r}")
            return service_sid(account)
        if domain.casefold() in {"", ".", self._computer.casefold()} and account.casefold() in self._local:
            return self._local[account.casefold()]
        raise UnknownAccountError(name)

    def name_of(self, sid: str) -> str:
        """The account name of a SID, or the SID itself."""
        if sid in _WELL_KNOWN:
            return _WELL_KNOWN[sid][0]
        for name, known in self._local.items():
            if known == sid:
                return f"{self._computer}\\{name.title()}"
        return sid


def service_sid(name: str) -> str:
    """The SID of a service: S-1-5-80 and the SHA-1 of its upper-case name in UTF-16."""
    digest = hashlib.sha1(name.upper().encode("utf-16-le"), usedforsecurity=False).digest()
    return "S-1-5-80-" + "-".join(str(part) for part in struct.unpack("<5I", digest))
