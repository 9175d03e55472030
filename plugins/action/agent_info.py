# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent import AgentAction
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent_reply import AgentError


class ActionModule(AgentAction):
    """What the agent on the host says about its tunnel; changes nothing."""

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
            }
        return {"changed": False, "installed": True, "status": status}
