# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases on Linux: a zipapp that a Python of the host runs."""

from __future__ import annotations

import posixpath

from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent_reply import AgentError, parse_reply
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.backends import HostCalls
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.bundles import Bundle

PROGRAM_DIRECTORIES = ("opt/wirefleet", "run/wirefleet")
DATA_DIRECTORIES = ("etc/wirefleet", "var/lib/wirefleet", "var/log/wirefleet")
# Left over below a root of its own when everything of ours is gone; only removed while empty.
EMPTY_PARENTS = ("var/lib", "var/log", "var", "etc", "opt", "run")


class LinuxInstaller:
    """Installer of Linux hosts."""

    def __init__(self, host: HostCalls) -> None:
        self._host = host
        self._root = str(host.options["root"])

    def unpack(self, bundle: Bundle) -> str:
        self._host.progress(f"copying {bundle.path.name} ({bundle.path.stat().st_size / 1e6:.0f} MB)")
        target = self._host.copy_to_temporary(str(bundle.path))
        self._host.progress(f"installing release {bundle.version}")
        argv = [str(self._host.options["python"]), target, "install", "--root", self._root, "--json"]
        try:
            reply = parse_reply(self._host.run_command(argv), " ".join(argv[:3]))
        except AgentError as error:
            if error.code == "not_installed":
                hint = "set wirefleet_python to a Python of version 3.11 or later on the host"
                raise AgentError(
                    "there is no such Python on the host", code="no_python", path=argv[0], hint=hint
                ) from None
            raise
        return str(reply["version"])

    def remove(self, *, purge: bool) -> bool:
        is_changed = False
        for directory in PROGRAM_DIRECTORIES + (DATA_DIRECTORIES if purge else ()):
            path = posixpath.join(self._root, directory)
            raw = self._host.run_module("ansible.builtin.file", {"path": path, "state": "absent"})
            if raw.get("failed"):
                raise AgentError(f"cannot remove it: {raw.get('msg')}", code="service", path=path)
            is_changed |= bool(raw.get("changed"))
        if purge and self._root != "/" and not self._host.is_check:
            paths = [posixpath.join(self._root, directory) for directory in EMPTY_PARENTS]
            # Exit code 1 only says that one of them is not there or not empty.
            self._host.run_command(["rmdir", "--ignore-fail-on-non-empty", "--", *paths])
        return is_changed
