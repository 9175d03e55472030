# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent import AgentAction
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent_reply import AgentError
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.identity import check_identity

VERBS = {"present": "ensure", "rotated": "rotate"}


class ActionModule(AgentAction):
    """The host has a key of its own; only the public half is ever seen here."""

    ARGUMENT_SPEC: ClassVar[dict[str, Any]] = {"state": {"type": "str", "choices": sorted(VERBS), "default": "present"}}

    def act(self) -> dict[str, Any]:
        try:
            reply = self.call_agent(["key", VERBS[self.options["state"]]], check=self.is_check)
        except AgentError as error:
            if not (self.is_check and error.code == "not_installed"):
                raise
            # A run without check mode would install the agent first.
            reply = {"changed": True, "public_key": None, "identity": None}
        # In check mode the agent makes neither a key nor an identity.
        if reply.get("public_key") and (reply.get("identity") or not self.is_check):
            check_identity(self.options["tunnel"], reply["public_key"], reply.get("identity"))
        result = {
            "changed": bool(reply["changed"]),
            "tunnel": self.options["tunnel"],
            "public_key": reply.get("public_key"),
            "identity": reply.get("identity"),
        }
        if self._task.diff and result["changed"]:
            after = result["public_key"] or "(made on the host)"
            result["diff"] = {"before": "", "after": f"public_key: {after}\n", "after_header": "key of the host"}
        return result
