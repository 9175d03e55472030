# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent import AgentAction
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent_reply import AgentError

# How much longer than the agent itself waits a lost connection may take.
_GRACE_S = 60.0


class ActionModule(AgentAction):
    """A hub carries traffic, or its spokes are asked to leave it."""

    ARGUMENT_SPEC: ClassVar[dict[str, Any]] = {
        "state": {"type": "str", "choices": ["draining", "active"], "required": True},
        "wait": {"type": "bool", "default": True},
        "timeout_s": {"type": "int", "default": 60},
        "local": {"type": "bool", "default": False},
    }

    def act(self) -> dict[str, Any]:
        self._calls = 0
        is_draining = self.options["state"] == "draining"
        try:
            reply = self.until_back(
                lambda: self._call(self._verb(is_draining)), timeout_s=self.options["timeout_s"] + _GRACE_S
            )
        except AgentError as error:
            if "spokes" not in error.reply:
                raise
            # Drained, but somebody stays: what was changed is said beside the failure.
            return {**self._result(error.reply, is_draining=is_draining), **error.as_result()}
        return self._result(reply, is_draining=is_draining)

    def _call(self, verb: list[str]) -> dict[str, Any]:
        self._calls += 1
        return self.call_agent(verb, check=self.is_check)

    def _verb(self, is_draining: bool) -> list[str]:
        verb = ["drain" if is_draining else "resume"]
        if self.options["local"]:
            verb.append("--local")
        if is_draining and self.options["wait"] and not self.is_check:
            verb += ["--wait", "--timeout", str(self.options["timeout_s"])]
        return verb

    def _result(self, reply: Any, *, is_draining: bool) -> dict[str, Any]:
        # Asked again over a new connection, the agent says that it was so before: by us, on the one that is gone.
        changed = bool(reply["changed"]) or self._calls > 1
        result: dict[str, Any] = {"changed": changed, "draining": is_draining}
        result.update({key: reply[key] for key in ("spokes", "waited_s") if key in reply})
        if self._task.diff and changed:
            before, after = ("active", "draining") if is_draining else ("draining", "active")
            result["diff"] = {"before": f"state: {before}\n", "after": f"state: {after}\n", "after_header": "this hub"}
        return result
