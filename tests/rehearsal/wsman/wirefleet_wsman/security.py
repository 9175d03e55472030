# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access control lists in memory: rights, entries, and what .NET does when a rule is added or removed. Pure.

Source: documentation of FileSystemRights, RegistryRights and CommonObjectSecurity.AddAccessRule.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

SYSTEM, ADMINISTRATORS, USERS, CREATOR_OWNER = "S-1-5-18", "S-1-5-32-544", "S-1-5-32-545", "S-1-3-0"
FULL_CONTROL, READ_AND_EXECUTE, SYNCHRONIZE = 2032127, 131241, 0x100000

FILE_RIGHTS = {
    "readdata": 1, "listdirectory": 1, "writedata": 2, "createfiles": 2, "appenddata": 4, "createdirectories": 4,
    "readextendedattributes": 8, "writeextendedattributes": 16, "executefile": 32, "traverse": 32,
    "deletesubdirectoriesandfiles": 64, "readattributes": 128, "writeattributes": 256, "write": 278, "delete": 65536,
    "readpermissions": 131072, "read": 131209, "readandexecute": READ_AND_EXECUTE, "modify": 197055,
    "changepermissions": 262144, "takeownership": 524288, "synchronize": SYNCHRONIZE, "fullcontrol": FULL_CONTROL,
}  # fmt: skip
REGISTRY_RIGHTS = {
    "queryvalues": 1, "setvalue": 2, "createsubkey": 4, "enumeratesubkeys": 8, "notify": 16, "createlink": 32,
    "delete": 65536, "readpermissions": 131072, "writekey": 131078, "readkey": 131097, "executekey": 131097,
    "changepermissions": 262144, "takeownership": 524288, "fullcontrol": 983103,
}  # fmt: skip
_INHERITANCE = {"none": 0, "containerinherit": 1, "objectinherit": 2}


def read_flags(text: str, table: dict[str, int]) -> int:
    """The value of a comma-separated list of names. Raises ValueError for an unknown one."""
    value = 0
    for name in text.split(","):
        if name.strip().casefold() not in table:
            raise ValueError(f"Unable to match the identifier name {name.strip()} to a valid enumerator name.")
        value |= table[name.strip().casefold()]
    return value


def read_inheritance(text: str) -> int:
    """The value of InheritanceFlags. Raises ValueError."""
    return read_flags(text, _INHERITANCE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One explicit access control entry. inherit: InheritanceFlags; propagation: a name of PropagationFlags."""

    sid: str
    rights: int
    kind: str
    inherit: int
    propagation: str

    def is_same_kind(self, other: Entry) -> bool:
        """Whether .NET merges the two into one entry."""
        return replace(self, rights=0) == replace(other, rights=0)


INHERITED = (
    Entry(SYSTEM, FULL_CONTROL, "allow", 3, "None"),
    Entry(ADMINISTRATORS, FULL_CONTROL, "allow", 3, "None"),
    Entry(USERS, READ_AND_EXECUTE | SYNCHRONIZE, "allow", 3, "None"),
    Entry(CREATOR_OWNER, FULL_CONTROL, "allow", 3, "InheritOnly"),
)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Owner, protection from inheritance, explicit entries."""

    owner: str = ADMINISTRATORS
    is_protected: bool = False
    entries: tuple[Entry, ...] = ()

    def add(self, entry: Entry) -> Descriptor:
        """With the entry, merged into one of its kind."""
        for index, present in enumerate(self.entries):
            if present.is_same_kind(entry):
                merged = replace(present, rights=present.rights | entry.rights)
                return replace(self, entries=(*self.entries[:index], merged, *self.entries[index + 1 :]))
        return replace(self, entries=(*self.entries, entry))

    def remove(self, entry: Entry) -> Descriptor:
        """Without the rights of the entry."""
        left = (
            replace(present, rights=present.rights & ~entry.rights) if present.is_same_kind(entry) else present
            for present in self.entries
        )
        return replace(self, entries=tuple(present for present in left if present.rights))

    def protect(self, *, keep_inherited: bool) -> Descriptor:
        """No inheritance any more; what was inherited becomes explicit or is lost."""
        descriptor = replace(self, is_protected=True)
        for entry in INHERITED if keep_inherited else ():
            descriptor = descriptor.add(entry)
        return descriptor

    def unprotect(self, *, drop_duplicates: bool) -> Descriptor:
        """Inheritance again; explicit entries that are inherited too can go."""
        entries = tuple(entry for entry in self.entries if not (drop_duplicates and entry in INHERITED))
        return replace(self, is_protected=False, entries=entries)

    def to_json(self) -> dict[str, Any]:
        """As kept in the host's state."""
        return {"owner": self.owner, "protected": self.is_protected, "entries": [asdict(e) for e in self.entries]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Descriptor:
        """As read from the host's state."""
        return cls(data["owner"], data["protected"], tuple(Entry(**entry) for entry in data["entries"]))
