# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent import AgentAction
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent_reply import AgentError
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.host_paths import release_program


class ActionModule(AgentAction):
    """What the agent on the host says about its tunnel; changes nothing."""

    ARGUMENT_SPEC: ClassVar[dict[str, Any]] = {"cluster": {"type": "bool", "default": False}}

    def act(self) -> dict[str, Any]:
        try:
            status = self.call_agent(["status"])
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
        if self.options["cluster"] and status.get("running"):
            status.update(self._cluster())
        return {
            "changed": False,
            "installed": True,
            "status": status,
            "root": self.options["root"],
            "program": self._program(status),
        }

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
