# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent import AgentAction
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent_reply import AgentError

_NOT_THERE_YET = ("not_installed", "not_reachable")


class ActionModule(AgentAction):
    """Wait until the host's peers answer; in check mode look once and never fail for what is not there yet."""

    ARGUMENT_SPEC: ClassVar[dict[str, Any]] = {
        "timeout_s": {"type": "int", "default": 30},
        "peers": {"type": "list", "elements": "str"},
        "max_handshake_age_s": {"type": "int", "default": 180},
        "quorum": {"type": "bool"},
    }

    def act(self) -> dict[str, Any]:
        if self.options["peers"] == [] and not self.options["quorum"]:
            return {"changed": False, "healthy": True, "waited_s": 0.0, "peers": [], "has_quorum": None}
        request: dict[str, Any] = {"max_handshake_age_s": self.options["max_handshake_age_s"]}
        request.update({name: self.options[name] for name in ("peers", "quorum") if self.options[name] is not None})
        verb = ["health", "--timeout", str(self.options["timeout_s"])]
        if not self.is_check:
            verb.insert(1, "--wait")
        try:
            reply = self._ask(verb, request)
        except AgentError as error:
            return self._unhealthy(error)
        return {"changed": False, **_shown(reply, healthy=True)}

    def _ask(self, verb: list[str], request: dict[str, Any]) -> dict[str, Any]:
        """A change may cut the connection for as long as the peers need to find each other again."""
        if self.is_check:
            return self.call_agent(verb, request)
        return self.until_back(lambda: self.call_agent(verb, request), timeout_s=float(self.options["timeout_s"]))

    def _unhealthy(self, error: AgentError) -> dict[str, Any]:
        result = {"changed": False, **_shown(error.reply, healthy=False)}
        if not (self.is_check and error.code in _NOT_THERE_YET):
            result.update(error.as_result())
        return result


def _shown(reply: Any, *, healthy: bool) -> dict[str, Any]:
    return {
        "healthy": healthy,
        "waited_s": reply.get("waited_s", 0.0),
        "peers": reply.get("peers", []),
        "has_quorum": reply.get("has_quorum"),
    }
