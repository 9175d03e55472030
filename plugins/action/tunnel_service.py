# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ntpath
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent import AgentAction
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent_reply import AgentError, parse_reply
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.backend_process import ProcessBackend
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.backend_scm import ScmBackend
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.backend_systemd import SystemdBackend
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.backends import Installer, ServiceBackend
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.bundles import read_bundle
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.host_paths import release_argv, release_program
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.install_linux import LinuxInstaller
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.install_windows import WindowsInstaller

STATES = ["present", "started", "stopped", "restarted", "absent"]
BACKENDS = ["auto", "systemd", "process", "scm"]


@dataclass(frozen=True)
class HostState:
    """What is installed and running. digest: of the bundle which the active release came from.

    defined: what of the service was not as it should be, in words.
    """

    release: str | None = None
    digest: str | None = None
    is_running: bool = False
    running_release: str | None = None
    installed: tuple[tuple[str, str], ...] = ()
    defined: tuple[str, ...] = ()

    def as_diff(self) -> str:
        lines = [f"release: {self.release or 'none'}", f"running: {'yes' if self.is_running else 'no'}"]
        return "\n".join([*lines, *(f"changed: {what}" for what in self.defined), ""])


class ActionModule(AgentAction):
    """The agent is installed from a bundle and runs as a service; or it is gone."""

    ARGUMENT_SPEC: ClassVar[dict[str, Any]] = {
        "state": {"type": "str", "choices": STATES, "default": "started"},
        "backend": {"type": "str", "choices": BACKENDS, "default": "auto"},
        "bundle": {"type": "path"},
        "python": {"type": "str", "default": "python3"},
        "purge": {"type": "bool", "default": False},
    }

    def act(self) -> dict[str, Any]:
        backend = self._backend()
        installer: Installer = WindowsInstaller(self) if self.is_windows else LinuxInstaller(self)
        before = self._observe()
        if self.options["state"] == "absent":
            is_changed = self._remove(backend, installer, before)
            after = HostState()
        else:
            is_changed, after = self._provide(backend, installer, before)
        result: dict[str, Any] = {
            "changed": is_changed,
            "backend": backend.name,
            "release": after.release,
            "previous_release": before.release,
            "running": after.is_running,
            "program": self._program(after.release),
        }
        if self._task.diff and is_changed:
            result["diff"] = {"before": before.as_diff(), "after": after.as_diff()}
        return result

    def _program(self, release: str | None) -> str | None:
        return release_program(self.options["root"], release) if self.is_windows and release else None

    # -- read

    def _observe(self) -> HostState:
        try:
            releases = self.call_agent(["release", "list"])
        except AgentError as error:
            if error.code != "not_installed" and not self._is_half_gone(error):
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

    def _is_half_gone(self, error: AgentError) -> bool:
        """Whether the command on Windows leads nowhere, which cmd.exe says in the language of the host; or whether it
        is to be removed anyway."""
        if not self.is_windows or error.code != "not_json":
            return False
        if self.options["state"] == "absent":
            return True
        pointer = ntpath.join(self.options["root"], "current")
        if not self._exists_on_windows(pointer):
            return True
        raw = self.run_command(["cmd.exe", "/d", "/c", "type", pointer])
        release = str(raw.get("stdout") or "").strip()
        is_known = raw.get("rc") == 0 and bool(release)
        return is_known and not self._exists_on_windows(release_program(self.options["root"], release))

    def _exists_on_windows(self, path: str) -> bool:
        raw = self.run_module("ansible.windows.win_stat", {"path": path, "get_checksum": False})
        return bool((raw.get("stat") or {}).get("exists", raw.get("failed", False)))

    def _backend(self) -> ServiceBackend:
        wanted = self.options["backend"]
        if self.is_windows:
            if wanted not in ("auto", "scm"):
                raise AgentError(f"there is no {wanted} on Windows", code="usage", path="backend", hint="backend: auto")
            return ScmBackend(self)
        if wanted == "scm":
            raise AgentError("services of this kind exist on Windows alone", code="usage", path="backend")
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
        return SystemdBackend(self) if wanted == "systemd" else ProcessBackend(self)

    def _has_systemd(self) -> bool:
        raw = self.run_module("ansible.builtin.stat", {"path": "/run/systemd/system"})
        return bool((raw.get("stat") or {}).get("exists"))

    # -- install and run

    def _provide(self, backend: ServiceBackend, installer: Installer, before: HostState) -> tuple[bool, HostState]:
        if self.is_check and before.release is None:
            return True, self._forecast()
        is_installed, after = self._install(installer, before)
        try:
            defined = backend.define(str(after.release), is_wanted=self.options["state"] != "present")
            after = replace(after, defined=tuple(defined))
            is_switched, after = self._run(backend, before, after)
        except AgentError as error:
            raise self._rolled_back(backend, before, after, error) from error
        return is_installed or bool(defined) or is_switched, after

    def _forecast(self) -> HostState:
        """What check mode can say about a host without an agent."""
        bundle = self.options["bundle"]
        release = read_bundle(Path(bundle)).version if bundle and Path(bundle).exists() else "(from the bundle)"
        return HostState(release=release, is_running=self.options["state"] in ("started", "restarted"))

    def _install(self, installer: Installer, before: HostState) -> tuple[bool, HostState]:
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
            version = installer.unpack(bundle)
        self.progress(f"activating release {version}")
        self._activate(version)
        return True, replace(before, release=version, digest=bundle.digest)

    def _activate(self, release: str) -> None:
        """By its own program: the one that is active may be the one that does not work."""
        root = self.options["root"]
        argv = [*release_argv(root, release, is_windows=self.is_windows), "--root", root, "--json"]
        parse_reply(self.run_command([*argv, "release", "activate", release]), argv[0])

    def _run(self, backend: ServiceBackend, before: HostState, after: HostState) -> tuple[bool, HostState]:
        """Bring the daemon to the wanted state; it restarts only when it runs another release than the active one."""
        state = self.options["state"]
        is_outdated = before.is_running and before.running_release not in (None, after.release)
        is_restart = before.is_running and (state == "restarted" or (is_outdated and state in ("present", "started")))
        is_stop = before.is_running and state == "stopped"
        is_start = not before.is_running and state in ("started", "restarted")
        if not self.is_check:
            if is_restart:
                self.progress("restarting the agent")
                backend.restart(str(after.release))
            elif is_stop:
                self.progress("stopping the agent")
                backend.stop()
            elif is_start:
                self.progress("starting the agent")
                backend.start()
        is_running = is_restart or is_start or (before.is_running and not is_stop)
        return is_restart or is_start or is_stop, replace(after, is_running=is_running)

    def _rolled_back(
        self, backend: ServiceBackend, before: HostState, after: HostState, error: AgentError
    ) -> AgentError:
        """The release from before runs again, as far as there is one; returns the error to report."""
        if before.release is None or before.release == after.release or self.is_check:
            return error
        self.progress(f"going back to release {before.release}")
        try:
            self.until_back(lambda: self._activate(str(before.release)))
            backend.define(before.release, is_wanted=False)
            if before.is_running:
                backend.restart(before.release)
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

    def _remove(self, backend: ServiceBackend, installer: Installer, before: HostState) -> bool:
        is_changed = before.is_running
        if before.is_running and not self.is_check:
            self.progress("stopping the agent")
            backend.stop()
        is_changed |= backend.remove()
        is_changed |= installer.remove(purge=self.options["purge"])
        return is_changed
