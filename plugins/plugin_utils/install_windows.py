# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases on Windows: one zip that brings its own Python, and nothing that was not hashed before."""

from __future__ import annotations

import hashlib
import ntpath
from typing import Any

from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent_reply import AgentError, parse_reply
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.backends import HostCalls, changed_or_error
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.bundles import Bundle
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.windows_names import (
    AV_EXCLUSIONS_KEY,
    REGISTRY_KEY,
    is_protected_place,
)

PROGRAM_FILES = ("releases", "current", "previous", "wirefleet-agent.cmd", "run", "staging")
DATA_FILES = ("config", "state", "logs")
ADMINISTRATORS, SYSTEM = "S-1-5-32-544", "S-1-5-18"
# A scanner or an indexer lets go of a new file within seconds; a process of ours has ended when this is asked.
REMOVE_ATTEMPTS = 6
REMOVE_INTERVAL_S = 2.0


class WindowsInstaller:
    """Installer of Windows hosts; ansible.windows and community.windows do the work."""

    def __init__(self, host: HostCalls) -> None:
        self._host = host
        self._root = str(host.options["root"])
        self._staging = ntpath.join(self._root, "staging")

    # -- install

    def unpack(self, bundle: Bundle) -> str:
        """The staging directory is gone afterwards, however it ends."""
        try:
            self._make_staging()
            release = self._install(bundle, self._unzip(bundle, self._copy(bundle)))
        except AgentError:
            self._remove_after_failure()
            raise
        self._remove(self._staging)
        return release

    def _make_staging(self) -> None:
        """Only administrators and SYSTEM may write between the check of the hash and the end of the installation."""
        if not is_protected_place(self._root):
            self._close_root()
        self._remove(self._staging)
        self._module("win_file", {"path": self._staging, "state": "directory"})

    def _close_root(self) -> None:
        """Other drives let every user create and change files, also in what is made there. The agent's own `secure`
        comes too late for the programs that run before it."""
        self._module("win_file", {"path": self._root, "state": "directory"})
        self._module("win_owner", {"path": self._root, "user": ADMINISTRATORS})
        for user in (ADMINISTRATORS, SYSTEM):
            self._module("win_acl", {"path": self._root, "user": user, "type": "allow", "rights": "FullControl"})
        self._module("win_acl_inheritance", {"path": self._root, "state": "absent"})

    def _copy(self, bundle: Bundle) -> str:
        self._host.progress(f"copying {bundle.path.name} ({bundle.path.stat().st_size / 1e6:.0f} MB)")
        target = ntpath.join(self._staging, bundle.path.name)
        raw = self._host.run_action("ansible.windows.win_copy", {"src": str(bundle.path), "dest": target})
        changed_or_error(raw, "copy the bundle", path=target)
        wanted = hashlib.sha256(bundle.path.read_bytes()).hexdigest()
        stat = self._module("win_stat", {"path": target, "checksum_algorithm": "sha256"}).get("stat") or {}
        if str(stat.get("checksum", "")).lower() != wanted:
            message = "the bundle on the host is not the one of the controller: its SHA-256 sum differs"
            hint = "see what changes files on their way, such as a scanner or a proxy"
            raise AgentError(message, code="transfer", path=target, hint=hint)
        return target

    def _unzip(self, bundle: Bundle, archive: str) -> str:
        folder = ntpath.join(self._staging, bundle.digest[:12])
        raw = self._host.run_module("community.windows.win_unzip", {"src": archive, "dest": folder})
        changed_or_error(raw, "unpack the bundle", path=archive)
        return folder

    def _install(self, bundle: Bundle, folder: str) -> str:
        """The installer checks every file against the manifest before it puts one in place."""
        self._host.progress(f"installing release {bundle.version}")
        python, installer = ntpath.join(folder, "runtime", "python.exe"), ntpath.join(folder, "install.pyz")
        argv = [python, "-I", installer, "install", "--root", self._root, "--json"]
        try:
            return str(parse_reply(self._host.run_command(argv), installer)["version"])
        except AgentError as error:
            if error.code != "not_installed":
                raise
            hint = "is it a bundle for Windows? Has a scanner taken python.exe away?"
            raise AgentError("the bundle's Python is not there", code="no_python", path=python, hint=hint) from None

    def _remove_after_failure(self) -> None:
        try:
            self._remove(self._staging)
        except AgentError as error:
            self._host.warn(f"{error.path} stays behind: {error}")

    # -- remove

    def remove(self, *, purge: bool) -> bool:
        """Only names that are ours, and the root if that leaves it empty."""
        is_changed = self._forget_registry() if purge else False
        if not (self._module("win_stat", {"path": self._root, "get_checksum": False}).get("stat") or {}).get("exists"):
            return is_changed
        for name in PROGRAM_FILES + (DATA_FILES if purge else ()):
            is_changed |= self._remove(ntpath.join(self._root, name))
        if purge and not self._host.is_check:
            # rmdir without /s removes what is empty and nothing else; its exit code says no more than that.
            self._host.run_command(["cmd.exe", "/d", "/c", "rmdir", self._root])
        return is_changed

    def _remove(self, path: str) -> bool:
        raw: dict[str, Any] = {}
        for attempt in range(REMOVE_ATTEMPTS):
            raw = self._host.run_module("ansible.windows.win_file", {"path": path, "state": "absent"})
            if not raw.get("failed"):
                return bool(raw.get("changed"))
            if attempt + 1 < REMOVE_ATTEMPTS:
                self._host.progress(f"{path} is still in use")
                self._host.sleep(REMOVE_INTERVAL_S)
        hint = "see which process has it open (Resource Monitor, CPU, Associated Handles), end it, and run again"
        raise AgentError(f"cannot remove it: {raw.get('msg')}", code="in_use", path=path, hint=hint)

    def _forget_registry(self) -> bool:
        """All of our key, unless the role av_exclusions still needs its own."""
        raw = self._module("win_reg_stat", {"path": REGISTRY_KEY})
        if not raw.get("exists") or AV_EXCLUSIONS_KEY in (raw.get("sub_keys") or ()):
            return False
        return bool(self._module("win_regedit", {"path": REGISTRY_KEY, "state": "absent"}).get("changed"))

    def _module(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        raw = self._host.run_module(f"ansible.windows.{name}", arguments)
        changed_or_error(raw, f"run {name}", path=str(arguments["path"]))
        return raw
