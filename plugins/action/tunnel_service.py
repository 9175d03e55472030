# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent import AgentAction
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent_reply import (
    AgentError,
    agent_directory,
    parse_reply,
)
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.bundles import Bundle, read_bundle
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.service_backends import (
    ProcessBackend,
    ServiceBackend,
    SystemdBackend,
)

STATES = ["present", "started", "stopped", "restarted", "absent"]
PROGRAM_DIRECTORIES = ("opt/wirefleet", "run/wirefleet")
DATA_DIRECTORIES = ("etc/wirefleet", "var/lib/wirefleet", "var/log/wirefleet")
# Left over below a root of its own when everything of ours is gone; only removed while empty.
EMPTY_PARENTS = ("var/lib", "var/log", "var", "etc", "opt", "run")


@dataclass(frozen=True)
class HostState:
    """What is installed and running. digest: of the bundle which the active release came from."""

    release: str | None = None
    digest: str | None = None
    is_running: bool = False
    running_release: str | None = None
    installed: tuple[tuple[str, str], ...] = ()

    def as_diff(self) -> str:
        return f"release: {self.release or 'none'}\nrunning: {'yes' if self.is_running else 'no'}\n"


class ActionModule(AgentAction):
    """The agent is installed from a bundle and runs as a service; or it is gone."""

    ARGUMENT_SPEC: ClassVar[dict[str, Any]] = {
        "state": {"type": "str", "choices": STATES, "default": "started"},
        "backend": {"type": "str", "choices": ["auto", "systemd", "process"], "default": "auto"},
        "bundle": {"type": "path"},
        "python": {"type": "str", "default": "python3"},
        "purge": {"type": "bool", "default": False},
    }

    def act(self) -> dict[str, Any]:
        if self.is_windows:
            raise AgentError("this version has no service backend for Windows", code="unsupported", path="backend")
        before = self._observe()
        backend = self._backend()
        if self.options["state"] == "absent":
            is_changed = self._remove(backend, before)
            after = HostState()
        else:
            is_changed, after = self._provide(backend, before)
        result: dict[str, Any] = {
            "changed": is_changed,
            "backend": backend.name,
            "release": after.release,
            "previous_release": before.release,
            "running": after.is_running,
        }
        if self._task.diff and is_changed:
            result["diff"] = {"before": before.as_diff(), "after": after.as_diff()}
        return result

    # -- read

    def _observe(self) -> HostState:
        try:
            releases = self.call_agent(["release", "list"])
        except AgentError as error:
            if error.code != "not_installed":
                raise
            return HostState()
        status = self.call_agent(["status"])
        installed = tuple((str(entry["version"]), str(entry["digest"])) for entry in releases["releases"])
        return HostState(
            release=releases["current"],
            digest=dict(installed).get(releases["current"]),
            is_running=bool(status["running"]),
            running_release=status.get("release"),
            installed=installed,
        )

    def _backend(self) -> ServiceBackend:
        wanted = self.options["backend"]
        has_own_root = self.options["root"] != "/"
        if wanted == "systemd" and has_own_root:
            raise AgentError(
                "systemd starts agents of the root directory / alone",
                code="usage",
                path="root",
                hint="backend: process",
            )
        if wanted == "auto":
            wanted = "systemd" if not has_own_root and self._has_systemd() else "process"
        return SystemdBackend(self, self.options["tunnel"]) if wanted == "systemd" else ProcessBackend(self)

    def _has_systemd(self) -> bool:
        raw = self.run_module("ansible.builtin.stat", {"path": "/run/systemd/system"})
        return bool((raw.get("stat") or {}).get("exists"))

    # -- install and run

    def _provide(self, backend: ServiceBackend, before: HostState) -> tuple[bool, HostState]:
        if self.is_check and before.release is None:
            return True, HostState(
                release="(from the bundle)", is_running=self.options["state"] in ("started", "restarted")
            )
        is_installed, after = self._install(before)
        is_defined = self.options["state"] != "present" and backend.define()
        try:
            is_switched, after = self._run(backend, before, after)
        except AgentError as error:
            raise self._rolled_back(backend, before, after, error) from error
        return is_installed or is_defined or is_switched, after

    def _install(self, before: HostState) -> tuple[bool, HostState]:
        """The release of the bundle is installed and active. Without a bundle, what is there stays."""
        if self.options["bundle"] is None:
            if before.release is None:
                raise AgentError("no agent is installed and no bundle is given", code="no_bundle", path="bundle")
            return False, before
        if self.is_check and not Path(self.options["bundle"]).exists():
            # The run without check mode would build it first.
            return False, before
        bundle = read_bundle(Path(self.options["bundle"]))
        if before.digest == bundle.digest:
            return False, before
        if self.is_check:
            return True, replace(before, release=bundle.version, digest=bundle.digest)
        version = {digest: version for version, digest in before.installed}.get(bundle.digest)
        if version is None:
            version = self._unpack(bundle)
        self._progress(f"activating release {version}")
        command = posixpath.join(agent_directory(self.options["root"], is_windows=False), "releases", version)
        argv = [
            f"{command}/bin/wirefleet-agent",
            "--root",
            self.options["root"],
            "--json",
            "release",
            "activate",
            version,
        ]
        parse_reply(self.run_command(argv), argv[0])
        return True, replace(before, release=version, digest=bundle.digest)

    def _unpack(self, bundle: Bundle) -> str:
        """Copy the bundle to the host and let it install itself; returns the release's name."""
        self._progress(f"copying {bundle.path.name} ({bundle.path.stat().st_size / 1e6:.0f} MB)")
        directory = self._connection._shell.tmpdir or self._make_tmp_path()
        target = self._connection._shell.join_path(directory, bundle.path.name)
        self._transfer_file(str(bundle.path), target)
        self._progress(f"installing release {bundle.version}")
        argv = [self.options["python"], target, "install", "--root", self.options["root"], "--json"]
        try:
            reply = parse_reply(self.run_command(argv), " ".join(argv[:3]))
        except AgentError as error:
            if error.code == "not_installed":
                hint = "set wirefleet_python to a Python of version 3.11 or later on the host"
                raise AgentError(
                    "there is no such Python on the host", code="no_python", path=argv[0], hint=hint
                ) from None
            raise
        return str(reply["version"])

    def _run(self, backend: ServiceBackend, before: HostState, after: HostState) -> tuple[bool, HostState]:
        """Bring the daemon to the wanted state; it restarts only when it runs another release than the active one."""
        state = self.options["state"]
        is_outdated = before.is_running and before.running_release not in (None, after.release)
        is_restart = before.is_running and (state == "restarted" or (is_outdated and state in ("present", "started")))
        is_stop = before.is_running and state == "stopped"
        is_start = is_restart or (not before.is_running and state in ("started", "restarted"))
        if not self.is_check:
            if is_restart or is_stop:
                self._progress("stopping the agent")
                backend.stop()
            if is_start:
                self._progress("starting the agent")
                backend.start()
        is_running = is_start or (before.is_running and not is_stop)
        return is_start or is_stop, replace(after, is_running=is_running)

    def _rolled_back(
        self, backend: ServiceBackend, before: HostState, after: HostState, error: AgentError
    ) -> AgentError:
        """The release from before runs again, as far as there is one; returns the error to report."""
        if before.release is None or before.release == after.release:
            return error
        self._progress(f"going back to release {before.release}")
        try:
            self.call_agent(["release", "activate", before.release])
            if before.is_running:
                backend.stop()
                backend.start()
        except AgentError as second:
            return AgentError(
                f"release {after.release} does not start: {error}; and the way back failed: {second}",
                code="rollback_failed",
                path=error.path,
                hint=second.hint,
            )
        return AgentError(
            f"release {after.release} does not start, so {before.release} is back: {error}",
            code="rolled_back",
            path=error.path,
            hint=error.hint,
        )

    # -- remove

    def _remove(self, backend: ServiceBackend, before: HostState) -> bool:
        is_changed = before.is_running
        if before.is_running and not self.is_check:
            self._progress("stopping the agent")
            backend.stop()
        is_changed |= backend.remove()
        directories = PROGRAM_DIRECTORIES + (DATA_DIRECTORIES if self.options["purge"] else ())
        for directory in directories:
            path = posixpath.join(self.options["root"], directory)
            raw = self.run_module("ansible.builtin.file", {"path": path, "state": "absent"})
            if raw.get("failed"):
                raise AgentError(f"cannot remove it: {raw.get('msg')}", code="service", path=path)
            is_changed |= bool(raw.get("changed"))
        if self.options["purge"] and self.options["root"] != "/" and not self.is_check:
            paths = [posixpath.join(self.options["root"], directory) for directory in EMPTY_PARENTS]
            # Exit code 1 only says that one of them is not there or not empty.
            self.run_command(["rmdir", "--ignore-fail-on-non-empty", "--", *paths])
        return is_changed

    def _progress(self, message: str) -> None:
        self._display.v(f"{self._task_vars.get('inventory_hostname', 'host')}: {message}")
