# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.wirefleet.wireguard.plugins.module_utils.key_text import check_public_key
from ansible_collections.wirefleet.wireguard.plugins.module_utils.planner import is_host_name
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent import AgentAction
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent_reply import AgentError

_MAX_REASON = 200
# State -> how a diff shows the peer before and after.
_SIDES = {
    "revoked": ("accepted", "revoked"),
    "restored": ("revoked", "accepted"),
    "placed": ("placed as planned or elsewhere", "placed"),
    "planned": ("placed", "placed as planned"),
}


class ActionModule(AgentAction):
    """What all hubs do with a peer: refuse it, or wish it at a certain hub. Asked of any one hub."""

    ARGUMENT_SPEC: ClassVar[dict[str, Any]] = {
        "peer": {"type": "str", "required": True},
        "state": {"type": "str", "choices": list(_SIDES), "required": True},
        "reason": {"type": "str"},
        "hub": {"type": "str"},
    }
    SPEC_RULES: ClassVar[dict[str, Any]] = {
        "required_if": [("state", "revoked", ["reason"]), ("state", "placed", ["hub"])]
    }

    def act(self) -> dict[str, Any]:
        peer, calls = _checked_peer(str(self.options["peer"]), "peer"), 0
        verb = self._verb(peer)

        def change() -> dict[str, Any]:
            nonlocal calls
            calls += 1
            return self.call_agent(verb, check=self.is_check)

        reply = self.until_back(change)
        # Asked again, the agent says that it was so before: by us, on a connection that is gone.
        result: dict[str, Any] = {"changed": bool(reply["changed"]) or calls > 1, "peer": peer}
        if self._task.diff and result["changed"]:
            before, after = _SIDES[self.options["state"]]
            result["diff"] = {
                "before": f"{peer}: {before}\n",
                "after": f"{peer}: {after}\n",
                "after_header": "all hubs",
            }
        return result

    def _verb(self, peer: str) -> list[str]:
        state = self.options["state"]
        if state == "revoked":
            return ["peer", "revoke", peer, f"--reason={_checked_reason(str(self.options['reason']))}"]
        if state == "placed":
            return ["peer", "place", peer, "--hub", _checked_peer(str(self.options["hub"]), "hub")]
        return ["peer", "place", peer, "--planned"] if state == "planned" else ["peer", "restore", peer]


def _checked_peer(text: str, option: str) -> str:
    """A name or a key: nothing that the agent's command line could take for an option."""
    if is_host_name(text):
        return text
    try:
        return check_public_key(text)
    except ValueError:
        raise AgentError(
            "a peer is named by its name in the plan or by its public key", code="usage", path=option
        ) from None


def _checked_reason(text: str) -> str:
    if not text.strip() or len(text) > _MAX_REASON or not text.isprintable():
        raise AgentError(
            f"a reason is printable text on one line, 1 to {_MAX_REASON} characters", code="usage", path="reason"
        )
    return text
