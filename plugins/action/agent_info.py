# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.wirefleet.wireguard.plugins.module_utils.redundancy import is_settled
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent import AgentAction
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent_reply import AgentError
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.host_paths import release_program


class ActionModule(AgentAction):
    """What the agent on the host says about its tunnel; changes nothing."""

    ARGUMENT_SPEC: ClassVar[dict[str, Any]] = {
        "cluster": {"type": "bool", "default": False},
        "settle_s": {"type": "int", "default": 0},
    }

    def act(self) -> dict[str, Any]:
        try:
            status = self._settled_status()
        except AgentError as error:
            if error.code != "not_installed":
                raise
            return {
                "changed": False,
                "installed": False,
                "status": {"tunnel": self.options["tunnel"], "running": False},
                "root": self.options["root"],
                "program": None,
            }
        return {
            "changed": False,
            "installed": True,
            "status": status,
            "root": self.options["root"],
            "program": self._program(status),
        }

    def _settled_status(self) -> dict[str, Any]:
        """The status, asked again every second until the host has found its hubs, for at most settle_s seconds."""
        seconds_left = 0 if self.is_check else int(self.options["settle_s"])
        while True:
            status = self.call_agent(["status"])
            if self.options["cluster"] and status.get("running"):
                status.update(self._cluster())
            if seconds_left <= 0 or is_settled(status):
                return status
            seconds_left -= 1
            self.sleep(1.0)

    def _cluster(self) -> dict[str, Any]:
        """What the hub knows of the others and they have decided: None where there is no cluster."""
        try:
            return {"cluster": self.call_agent(["cluster", "status"])}
        except AgentError as error:
            if error.code == "refused":
                return {"cluster": None}
            if error.code in ("usage", "not_reachable"):  # an agent from before there were clusters, or it is ending
                return {}
            raise

    def _program(self, status: dict[str, Any]) -> str | None:
        """On Windows, what firewall rules and scanners know the service by: of the release that runs, or would."""
        if not self.is_windows:
            return None
        release = status.get("release") or self.call_agent(["release", "list"])["current"]
        return release_program(self.options["root"], str(release)) if release else None
