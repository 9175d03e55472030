# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Who may do what with a file on Windows: the descriptors that we give, and what we make of those that we find.

A private file is for SYSTEM and Administrators alone. Its list of rights is its own (protected), so that a change
further up cannot open it. Whoever runs us without being an administrator (a developer) is added, or could not go on.
No right goes to the service's SID: the service is LocalSystem, to which SYSTEM's entry already gives everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

SYSTEM = "S-1-5-18"
ADMINISTRATORS = "S-1-5-32-544"
USERS = "S-1-5-32-545"
TRUSTED_INSTALLER = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"
# Stand for the owner, who is looked at by itself, and for whoever makes a file here, which not everybody may.
_OWNER_RIGHTS = "S-1-3-4"
_CREATOR_OWNER = "S-1-3-0"

FULL_CONTROL = 0x001F01FF
_GENERIC_ALL = 0x10000000
# READ_CONTROL, SYNCHRONIZE, FILE_READ_ATTRIBUTES, FILE_READ_EA: shows that there is a file, and not what is in it.
_HARMLESS = 0x00020000 | 0x00100000 | 0x0080 | 0x0008
# What lets somebody put another file in the place of one: GENERIC_WRITE and _ALL, WRITE_OWNER, WRITE_DAC, DELETE,
# FILE_DELETE_CHILD, FILE_WRITE_EA, FILE_APPEND_DATA (make a folder), FILE_WRITE_DATA (make a file).
_REPLACING = 0x40000000 | _GENERIC_ALL | 0x00080000 | 0x00040000 | 0x00010000 | 0x0040 | 0x0010 | 0x0004 | 0x0002

INHERIT_ONLY = 0x08
INHERITED = 0x10
_DENIED_TYPES = frozenset({1, 6, 10, 12})  # ACCESS_DENIED_*_ACE_TYPE


@dataclass(frozen=True)
class Entry:
    """One entry of a list of rights. kind and flags: AceType and AceFlags of ACE_HEADER."""

    kind: int
    flags: int
    mask: int
    sid: str

    @property
    def grants(self) -> bool:
        return self.kind not in _DENIED_TYPES


@dataclass(frozen=True)
class FileSecurity:
    """What is found at a path, which itself is meant and not what a link leads to. entries None: everyone may all."""

    owner: str
    entries: tuple[Entry, ...] | None
    is_directory: bool
    is_reparse_point: bool


@dataclass(frozen=True)
class Account:
    """Who runs this process. default_owner: whom its new files belong to. is_administrator: now, not after a prompt."""

    sid: str
    default_owner: str
    is_administrator: bool

    @property
    def is_system(self) -> bool:
        return self.sid == SYSTEM


def private_sddl(account: Account, *, is_directory: bool) -> str:
    """The descriptor of a private file or directory; what is made in that directory inherits it."""
    flags = "OICI" if is_directory else ""
    owner = f"O:{ADMINISTRATORS}" if account.is_administrator or account.is_system else ""
    own = "" if owner else f"(A;{flags};FA;;;{account.sid})"
    return f"{owner}D:P(A;{flags};FA;;;{SYSTEM})(A;{flags};FA;;;{ADMINISTRATORS}){own}"


def program_sddl(account: Account) -> str:
    """The descriptor of a directory of programs: everyone may run them, nobody else may change them."""
    return private_sddl(account, is_directory=True) + f"(A;OICI;0x1200a9;;;{USERS})"


def foreign_owner(found: FileSecurity, account: Account) -> str | None:
    """The owner, if it is none that we trust."""
    return None if found.owner in _trusted(account) else found.owner


def may_be_read_by_others(found: FileSecurity, account: Account) -> bool:
    """Whether anybody else may do anything with the content."""
    return any(entry.mask & ~_HARMLESS for entry in _of_others(found, account) if not entry.flags & INHERIT_ONLY)


def may_be_replaced_by_others(found: FileSecurity, account: Account) -> bool:
    """Of a directory: whether anybody else may put something in the place of its files."""
    return any(entry.mask & _REPLACING for entry in _of_others(found, account) if not entry.flags & INHERIT_ONLY)


def is_exactly_private(found: FileSecurity, account: Account) -> bool:
    """Whether ``private_sddl`` would change nothing.

    Judged by what is granted to whom, also to files that are still to come. An owner that we trust may stand for the
    administrators. A directory's rights must not come from above; those of a file may, since its directory is private.
    """
    if found.entries is None or (found.is_directory and any(entry.flags & INHERITED for entry in found.entries)):
        return False
    granted = [entry for entry in found.entries if entry.grants]
    everything = {entry.sid for entry in granted if _is_full(entry.mask)}
    return (
        found.owner in _final_owners(account)
        and {entry.sid for entry in granted} <= {SYSTEM, ADMINISTRATORS, found.owner}
        and SYSTEM in everything
        and bool(everything & {ADMINISTRATORS, found.owner})
    )


def is_safe_program_dir(found: FileSecurity, account: Account) -> bool:
    """Whether nobody else may change programs in it, nor in what is made in it; as Program Files has it."""
    return found.owner in _final_owners(account) and not any(
        entry.mask & _REPLACING for entry in _of_others(found, account)
    )


def _of_others(found: FileSecurity, account: Account) -> Iterator[Entry]:
    """Grants to anybody whom we do not trust."""
    if found.entries is None:
        yield Entry(0, 0, FULL_CONTROL, "S-1-1-0")
        return
    trusted = _trusted(account) | {_OWNER_RIGHTS, _CREATOR_OWNER}
    yield from (entry for entry in found.entries if entry.grants and entry.sid not in trusted)


def _trusted(account: Account) -> set[str]:
    """TrustedInstaller owns what Windows itself put there, such as Program Files."""
    return {SYSTEM, ADMINISTRATORS, TRUSTED_INSTALLER, account.sid}


def _final_owners(account: Account) -> set[str]:
    """Our own user is a good owner only where our files cannot belong to the administrators."""
    owners = _trusted(account)
    return owners - {account.sid} if account.default_owner == ADMINISTRATORS and not account.is_system else owners


def _is_full(mask: int) -> bool:
    return mask & FULL_CONTROL == FULL_CONTROL or bool(mask & _GENERIC_ALL)
