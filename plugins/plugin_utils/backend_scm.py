# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service of Windows per tunnel, defined by ansible.windows.win_service and controlled by the agent.

A restart is the agent's work, done by a process of its own: WinRM may ride on the tunnel, so whoever asked for it
may be gone before it is done, and has to come back and read what became of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent_reply import AgentError
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.backends import HostCalls, changed_or_error
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.host_paths import release_program
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.reconnect import ConnectionLost, once
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.windows_names import (
    EVENT_LOG,
    EVENT_SOURCE,
    image_path,
    program_rules,
    service_name,
)

# wireguard-windows has no recovery, and its users restart it by hand; these are the steps that Tailscale takes.
FAILURE_DELAYS_S = (1, 2, 4, 8, 16, 32, 64)
DAY_S = 24 * 60 * 60
# Nothing but these two is in the token that the service starts with; its SID is what its directories admit.
REQUIRED_PRIVILEGES = ["SeChangeNotifyPrivilege", "SeLoadDriverPrivilege"]
RESTART_ATTEMPTS = 90
RESTART_INTERVAL_S = 2.0
# The tunnel of a new process may need several tries, such as while the old adapter is still going.
TUNNEL_ATTEMPTS = 5
# What a module or the agent says of a service that cannot be had. The numbers are in every language's message.
_TROUBLES = (
    (
        ("1072", "marked for deletion"),
        "marked_for_deletion",
        "close services.msc, Task Manager and Event Viewer on the host, also of other sessions; no reboot is needed",
    ),
    (
        ("1053", "1061", "cannot be stopped", "did not respond"),
        "service_hangs",
        "the service ends itself after 30 s; if its process is still there, end it and run again",
    ),
)


class ScmBackend:
    """Backend ``scm``, the only one on Windows."""

    name = "scm"

    def __init__(self, host: HostCalls) -> None:
        self._host = host
        self._root, self._tunnel = str(host.options["root"]), str(host.options["tunnel"])
        self.service = service_name(self._tunnel)

    # -- define

    def define(self, release: str, *, is_wanted: bool) -> list[str]:
        """All of the service; the module changes what differs. Then the directories let its SID in."""
        if not is_wanted and not self._describe():
            return []
        raw = self._host.run_module("ansible.windows.win_service", self._definition(release))
        changed = ["definition of the service"] if self._changed(raw, "define the service") else []
        if changed and self._host.is_check and not self._describe():
            return changed  # there is no service yet, whose SID the directories could let in
        secured = self._host.call_agent(["secure"], check=self._host.is_check)
        return changed + [f"rights of {one['path']}" for one in secured["paths"] if one["changed"]]

    def _definition(self, release: str) -> dict[str, Any]:
        return {
            "name": self.service,
            "display_name": f"WireFleet tunnel {self._tunnel}",
            "description": f"Carries the WireGuard tunnel {self._tunnel} of this host.",
            "path": image_path(self._root, release, self._tunnel),
            "start_mode": "delayed",
            "dependencies": ["Nsi", "TcpIp"],
            "username": "LocalSystem",
            "required_privileges": REQUIRED_PRIVILEGES,
            "sid_info": "unrestricted",
            "failure_actions": [{"type": "restart", "delay_ms": 1000 * delay_s} for delay_s in FAILURE_DELAYS_S],
            "failure_actions_on_non_crash_failure": True,
            "failure_reset_period_sec": DAY_S,
            "pre_shutdown_timeout_ms": 30000,
        }

    def _describe(self) -> Mapping[str, Any]:
        """What the host knows of the service; empty if there is none."""
        raw = self._host.run_module("ansible.windows.win_service_info", {"name": self.service})
        self._changed(raw, "look at the service")
        services = [one for one in raw.get("services") or () if one.get("name", "").lower() == self.service.lower()]
        return services[0] if services else {}

    # -- control

    def start(self) -> bool:
        return bool(self._call(["daemon", "start", "--wait"])["changed"])

    def stop(self) -> bool:
        return bool(self._call(["daemon", "stop"])["changed"])

    def restart(self, release: str) -> None:
        """Order the restart, then ask over as many connections as it takes what became of it."""
        self._let_through(release)
        before = self._restart_of(self._status())
        restart_id = self._order_restart(before)
        for _attempt in range(RESTART_ATTEMPTS):
            status = self._status()
            restart = self._restart_of(status)
            if restart.get("id") == restart_id and restart.get("state") == "failed":
                raise self._restart_failed(restart.get("error") or {})
            if restart.get("id") == restart_id and restart.get("state") == "done":
                self._check_runs(self._once_settled(status), release)
                return
            self._host.sleep(RESTART_INTERVAL_S)
        message = f"{self.service} was to restart, and did not come to an end with it"
        raise AgentError(message, code="service_hangs", path=self.service, hint=_TROUBLES[1][2])

    def _order_restart(self, before: Mapping[str, Any]) -> str:
        """Returns its id. Lost on the way, the order may have come through or not: only then it is given again."""
        verb = ["daemon", "restart", "--detach"]
        try:
            return str(once(lambda: self._call(verb))["restart_id"])
        except ConnectionLost as lost:
            self._host.warn(f"the connection is lost ({lost}), perhaps by the restart itself")
        restart = self._restart_of(self._status(is_lost=True))
        if restart and restart.get("id") != before.get("id"):
            return str(restart["id"])
        return str(self._call(verb)["restart_id"])

    def _status(self, *, is_lost: bool = False) -> dict[str, Any]:
        return self._host.until_back(lambda: self._host.call_agent(["status"]), is_lost=is_lost)

    def _once_settled(self, status: dict[str, Any]) -> dict[str, Any]:
        """The status once the new process has brought its tunnel up, or has had its chance to."""
        for _attempt in range(TUNNEL_ATTEMPTS):
            is_coming = status.get("configured") and not status.get("interface") and status.get("running")
            if not (is_coming or status.get("error")):
                break
            self._host.sleep(RESTART_INTERVAL_S)
            status = self._status()
        return status

    @staticmethod
    def _restart_of(status: Mapping[str, Any]) -> Mapping[str, Any]:
        restart = status.get("restart")
        return restart if isinstance(restart, Mapping) else {}

    def _check_runs(self, status: Mapping[str, Any], release: str) -> None:
        running, error = status.get("release"), status.get("error")
        if isinstance(error, Mapping):
            raise self._restart_failed(error)
        if status.get("running") and running in (None, release):
            return
        what = f"runs release {running}" if status.get("running") else "does not run"
        message = f"after its restart {self.service} {what} and not {release}"
        raise AgentError(message, code="not_reachable", path=self.service, hint="wirefleet-agent doctor")

    def _restart_failed(self, error: Mapping[str, Any]) -> AgentError:
        return self._named(
            AgentError(
                str(error.get("message") or "the restart failed"),
                code=str(error.get("code") or "service"),
                path=str(error.get("path") or self.service),
                hint=str(error.get("hint") or "wirefleet-agent doctor"),
            )
        )

    def _let_through(self, release: str) -> None:
        """The firewall knows a release by its program: rules that are there follow before the new one starts."""
        module, program = "community.windows.win_firewall_rule", release_program(self._root, release)
        for name in program_rules(self._tunnel):
            rule = {"name": name, "program": program, "state": "present"}
            if self._has_rule(module, name):
                changed_or_error(self._host.run_module(module, rule), "let the release through the firewall", path=name)

    def _has_rule(self, module: str, name: str) -> bool:
        """Asked by a removal that is only looked at: the module has no other way to ask."""
        raw = self._host.run_module_in_check_mode(module, {"name": name, "state": "absent"})
        return changed_or_error(raw, "look at the firewall", path=name)

    # -- remove

    def remove(self) -> bool:
        """Also if the service, the agent or both are gone already."""
        found = self._describe()
        is_changed = False
        if found and found.get("state") != "stopped":
            raw = self._host.run_module("ansible.windows.win_service", {"name": self.service, "state": "stopped"})
            is_changed |= self._changed(raw, "stop the service")
        is_changed |= self._last_rites()
        if found:
            raw = self._host.run_module("ansible.windows.win_service", {"name": self.service, "state": "absent"})
            is_changed |= self._changed(raw, "remove the service")
        return is_changed

    def _last_rites(self) -> bool:
        """The agent takes away what it left in the system: adapters, addresses, routes, registry values, event source.

        Without the agent only the event source can be taken away.
        """
        try:
            return bool(self._host.call_agent(["uninstall"], check=self._host.is_check)["changed"])
        except AgentError as error:
            if self._host.is_check and error.code == "refused":
                return True  # it still runs, because nothing was stopped
            if error.code not in ("not_installed", "not_json"):
                raise
            if error.code == "not_json":
                self._host.warn(f"the agent is damaged and could not remove its adapter, if there is one: {error}")
        source = {"name": EVENT_LOG, "sources": [EVENT_SOURCE], "state": "absent"}
        raw = self._host.run_module("ansible.windows.win_eventlog", source)
        return self._changed(raw, "remove the source of the event log")

    # -- errors

    def _call(self, verb: list[str]) -> dict[str, Any]:
        try:
            return self._host.call_agent(verb)
        except AgentError as error:
            raise self._named(error) from error

    def _changed(self, raw: Mapping[str, Any], purpose: str) -> bool:
        try:
            return changed_or_error(raw, purpose, path=self.service, hint="see the System event log of the host")
        except AgentError as error:
            raise self._named(error) from None

    @staticmethod
    def _named(error: AgentError) -> AgentError:
        """The same error, under its own name if it is one of those that operators meet."""
        for words, code, hint in _TROUBLES:
            if any(word in str(error) for word in words):
                return AgentError(str(error), code=code, path=error.path, hint=hint, reply=error.reply)
        return error
