# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.wirefleet.wireguard.plugins.module_utils.private_copies import redact
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent import AgentAction
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent_reply import AgentError
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.reconnect import RECONNECT_S, ConnectionLost, once
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.secrets import cluster_key_of, preshared_keys_of

# How much longer than a change's own deadline the way back may take.
_GRACE_S = 60.0
_REPLY_KEYS = ("changed", "digest", "changes", "pending", "confirm_id", "confirm_timeout_s", "running")


class ActionModule(AgentAction):
    """The host's tunnel is configured so, or a configuration that waits for it is confirmed."""

    ARGUMENT_SPEC: ClassVar[dict[str, Any]] = {
        "state": {"type": "str", "choices": ["applied", "confirmed"], "default": "applied"},
        "conf": {"type": "str", "no_log": False},
        "toml": {"type": "str", "default": ""},
        "preshared_keys": {"type": "dict", "no_log": True},
        "public_key": {"type": "str", "no_log": False},
        "preshared_peers": {"type": "list", "elements": "str", "default": []},
        "preshared_secret_path": {"type": "path", "no_log": False},
        "has_cluster": {"type": "bool", "default": False},
        "confirm_timeout_s": {"type": "int", "default": 0},
        "confirm_id": {"type": "str"},
    }
    SPEC_RULES: ClassVar[dict[str, Any]] = {
        "required_if": [("state", "applied", ["conf"])],
        "mutually_exclusive": [("preshared_keys", "preshared_secret_path")],
    }

    def act(self) -> dict[str, Any]:
        if self.options["state"] == "confirmed":
            return self._confirm()
        return self._apply()

    def _apply(self) -> dict[str, Any]:
        options = self.options
        request: dict[str, Any] = {
            "conf": options["conf"],
            "toml": options["toml"],
            "confirm_timeout_s": options["confirm_timeout_s"],
        }
        if not self._is_secret_still_to_come():
            secrets = {"preshared_keys": preshared_keys_of(options), "cluster_key": cluster_key_of(options)}
            request.update((name, value) for name, value in secrets.items() if value)
        try:
            reply = self._send(request)
        except AgentError as error:
            if not (self.is_check and error.code == "not_installed"):
                raise
            reply = self._reply_before_installation()
        result: dict[str, Any] = {
            "pending": False,
            "confirm_id": None,
            **{k: reply[k] for k in _REPLY_KEYS if k in reply},
        }
        if self._task.diff and isinstance(reply.get("diff"), dict) and result["changed"]:
            result["diff"] = self._diff(reply["diff"])
        return result

    def _send(self, request: dict[str, Any]) -> dict[str, Any]:
        """The agent's reply, also if the change itself cuts the connection; then it is asked what became of it."""
        verb, began = ["config", "apply"], time.monotonic()
        try:
            return once(lambda: self.call_agent(verb, request, check=self.is_check))
        except ConnectionLost as lost:
            if self.is_check:
                raise lost.error from None
            self.warn(f"the connection is lost ({lost}), perhaps by the change itself")
        return self._asked_afterwards(request, began)

    def _asked_afterwards(self, request: dict[str, Any], began: float) -> dict[str, Any]:
        """Whether the change is in effect. It is sent again only if it never arrived, or to learn its confirm_id."""
        verb, confirm_s = ["config", "apply"], float(request["confirm_timeout_s"])
        timeout_s = max(RECONNECT_S, confirm_s + _GRACE_S)
        proposal, shown = self.until_back(
            lambda: (self.call_agent(verb, request, check=True), self.call_agent(["config", "show"])),
            timeout_s=timeout_s,
            is_lost=True,
        )
        is_in_effect = not proposal["changed"]
        if is_in_effect and confirm_s and not shown["pending"]:
            return {**proposal, "changed": False}  # it had been so before
        if not is_in_effect and confirm_s and time.monotonic() - began >= confirm_s:
            raise AgentError(
                "the change cut the connection, so nobody confirmed it, and the host took it back",
                code="reverted",
                path=self.options["tunnel"],
                hint="the controller comes through the tunnel: see which peer or route the change took away",
            )
        # The same configuration once more changes nothing on the host, but the reply says how to confirm it.
        reply = self.until_back(lambda: self.call_agent(verb, request), timeout_s=timeout_s)
        return {**reply, "changed": True}

    def _is_secret_still_to_come(self) -> bool:
        """Whether this is check mode before the run that makes the fleet's secret."""
        path = self.options["preshared_secret_path"]
        return self.is_check and path is not None and not Path(path).exists()

    def _confirm(self) -> dict[str, Any]:
        confirm_id = self.options["confirm_id"]
        if not confirm_id:
            return {"changed": False}
        if self.is_check:
            return {"changed": True}
        request, calls = {"confirm_id": confirm_id}, 0

        def confirm() -> dict[str, Any]:
            nonlocal calls
            calls += 1
            return self.call_agent(["config", "confirm"], request)

        reply = self.until_back(confirm)
        # Asked again, the agent says that it was confirmed before: by us, on a connection that is gone.
        return {"changed": bool(reply["changed"]) or calls > 1, "digest": reply.get("digest")}

    def _diff(self, diff: dict[str, Any]) -> dict[str, str]:
        name = f"{self.options['tunnel']}.conf, {self.options['tunnel']}.toml"
        return {
            "before": redact(str(diff.get("before") or "")),
            "after": redact(str(diff.get("after") or "")),
            "before_header": name,
            "after_header": name,
        }

    def _reply_before_installation(self) -> dict[str, Any]:
        """What check mode can say about a host that a run would install the agent on first."""
        after = f"{self.options['conf']}\n{self.options['toml']}"
        return {
            "changed": True,
            "digest": None,
            "changes": [],
            "running": False,
            "diff": {"before": "", "after": after},
        }
