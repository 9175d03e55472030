# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for ansible.windows.win_acl, win_owner and win_acl_inheritance.

Wine keeps mode bits instead of access control lists, so descriptors live in the host's state, bound to the file
that had them: a file that was removed and made anew has the inherited ones again.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from wirefleet_wsman.accounts import UnknownAccountError
from wirefleet_wsman.call import Call, ModuleFailedError, Result
from wirefleet_wsman.host import Host
from wirefleet_wsman.security import (
    FILE_RIGHTS,
    REGISTRY_RIGHTS,
    SYNCHRONIZE,
    Descriptor,
    Entry,
    read_flags,
    read_inheritance,
)

FAMILY = "acls"
_REGISTRY = re.compile(r"^HK(LM|CU|CR|U|CC):\\(.*)", re.IGNORECASE)


class _Target:
    """A file, directory or registry key with a security descriptor."""

    def __init__(self, host: Host, path: str) -> None:
        self._host = host
        self.is_registry = _REGISTRY.match(path) is not None
        if self.is_registry:
            self.path, self._local = path, None
        else:
            self.path = host.paths.normalise(path)
            self._local = host.paths.to_local(self.path)

    @property
    def exists(self) -> bool:
        """Whether there is such a file or key."""
        if self._local is not None:
            return self._local.exists()
        match = _REGISTRY.match(self.path)
        assert match
        return bool(self._host.inside.call("key_read", hive=f"HK{match[1].upper()}", key=match[2])["exists"])

    @property
    def is_leaf(self) -> bool:
        """Whether nothing can inherit from it."""
        return self._local is not None and not self._local.is_dir()

    @property
    def identity(self) -> str:
        """What distinguishes this file from another one of its name."""
        if self._local is None:
            return "registry"
        status = self._local.stat()
        return f"{status.st_dev}:{status.st_ino}"

    def read(self) -> Descriptor:
        """The descriptor now."""
        stored: dict[str, Any] | None = self._host.state.read(FAMILY).get(self.path.casefold())
        if stored is None or stored["identity"] != self.identity:
            return Descriptor()
        return Descriptor.from_json(stored)

    def write(self, descriptor: Descriptor) -> None:
        """Replace the descriptor."""
        forget_missing(self._host)
        with self._host.state.edit(FAMILY) as state:
            state[self.path.casefold()] = {
                "path": self.path,
                "identity": self.identity,
                **descriptor.to_json(),
            }
        self._host.not_shown.add("access control", f"{self.path}: recorded, not enforced by Wine")


def forget_missing(host: Host) -> None:
    """Drop the descriptors of files that are gone: Windows keeps them in the files."""
    with host.state.edit(FAMILY) as state:
        for key, record in list(state.items()):
            if not _REGISTRY.match(record["path"]) and not host.paths.to_local(record["path"]).exists():
                del state[key]


def owner_of(host: Host, path: str) -> str:
    """The account that owns an existing file."""
    return host.accounts.name_of(_Target(host, path).read().owner)


def _sid(call: Call, name: str) -> str:
    try:
        return call.host.accounts.sid_of(name)
    except UnknownAccountError as error:
        raise ModuleFailedError(f"{name} is not a valid user or group on the host machine or domain") from error


def win_acl(call: Call) -> Result:
    """One explicit entry exists or not."""
    path, user = str(call.arguments["path"]), str(call.arguments["user"])
    target = _Target(call.host, path)
    if not target.exists:
        raise ModuleFailedError(f"{path} file or directory does not exist on the host")
    entry = _entry(call, target, _sid(call, user))
    descriptor = target.read()
    matches = entry in descriptor.entries
    if call.arguments["state"] == "present":
        if matches:
            return {"changed": False, "msg": "the specified rule already exists"}
        target.write(descriptor.add(entry))
        return {"changed": True}
    if not matches:
        return {"changed": False, "msg": "the specified rule does not exist"}
    target.write(descriptor.remove(entry))
    return {"changed": True}


def _entry(call: Call, target: _Target, sid: str) -> Entry:
    kind = str(call.arguments["type"])
    inherit = "None" if target.is_leaf else call.arguments.get("inherit") or "ContainerInherit, ObjectInherit"
    try:
        rights = read_flags(str(call.arguments["rights"]), REGISTRY_RIGHTS if target.is_registry else FILE_RIGHTS)
        flags = read_inheritance(str(inherit))
    except ValueError as error:
        raise ModuleFailedError(f"an error occurred when attempting to change permission(s): {error}") from error
    if kind == "allow" and not target.is_registry:
        rights |= SYNCHRONIZE  # FileSystemAccessRule does so
    return Entry(sid, rights, kind, flags, str(call.arguments["propagation"]))


def win_owner(call: Call) -> Result:
    """The owner of a file, or of everything beneath a directory."""
    path, user = str(call.arguments["path"]), str(call.arguments["user"])
    top = _Target(call.host, path)
    if not top.exists:
        raise ModuleFailedError(f"{path} file or directory does not exist on the host")
    sid = _sid(call, user)
    changed = False
    for name in [path, *(_beneath(call, path) if call.arguments["recurse"] else [])]:
        target = _Target(call.host, name)
        descriptor = target.read()
        if descriptor.owner == sid:
            continue
        changed = True
        if not call.check:
            target.write(Descriptor(sid, descriptor.is_protected, descriptor.entries))
    return {"changed": changed}


def _beneath(call: Call, path: str) -> list[str]:
    local = call.host.paths.to_local(path)
    return [
        call.host.paths.to_windows(Path(folder) / name)
        for folder, directories, files in os.walk(local)
        for name in (*directories, *files)
    ]


def win_acl_inheritance(call: Call) -> Result:
    """Whether entries are inherited."""
    path = str(call.arguments["path"])
    target = _Target(call.host, path)
    if not target.exists:
        raise ModuleFailedError(f"{path} does not exist")
    descriptor = target.read()
    before = "absent" if descriptor.is_protected else "present"
    wanted = str(call.arguments["state"])
    if wanted != before and not call.check:
        reorganize = bool(call.arguments["reorganize"])
        if wanted == "absent":
            target.write(descriptor.protect(keep_inherited=reorganize))
        else:
            target.write(descriptor.unprotect(drop_duplicates=reorganize))
    return {"changed": wanted != before, "diff": {"before": {"state": before}, "after": {"state": wanted}}}
