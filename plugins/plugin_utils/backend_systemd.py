# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An enabled instance of the agent's own unit, which has the capabilities that a tunnel needs and no others."""

from __future__ import annotations

from typing import Any

from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent_reply import AgentError
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.backends import HostCalls, changed_or_error
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.host_paths import agent_directory

UNIT_DIRECTORY = "/etc/systemd/system"
# The agent's release brings the unit; every tunnel is an instance of it.
UNIT_TEMPLATE = "wirefleet-agent@.service"
START_ATTEMPTS = 20
START_INTERVAL_S = 0.5
_HINT = "see journalctl on the host"


class SystemdBackend:
    """Backend ``systemd``, for hosts that systemd has started."""

    name = "systemd"

    def __init__(self, host: HostCalls) -> None:
        self._host = host
        self.unit = UNIT_TEMPLATE.replace("@", f"@{host.options['tunnel']}")
        self.path = f"{UNIT_DIRECTORY}/{UNIT_TEMPLATE}"

    def define(self, release: str, *, is_wanted: bool) -> list[str]:
        if not is_wanted:
            return []
        source = f"{agent_directory('/', is_windows=False)}/current/share/{UNIT_TEMPLATE}"
        arguments = {"src": source, "dest": self.path, "mode": "0644", "remote_src": True}
        raw = self._host.run_module("ansible.builtin.copy", arguments)
        is_written = changed_or_error(raw, "install the unit", hint=_HINT)
        if is_written and self._host.is_check:
            return ["unit", "enabled"]  # systemd does not know the unit yet
        is_enabled = self._systemctl(enabled=True, daemon_reload=is_written)
        return (["unit"] if is_written else []) + (["enabled"] if is_enabled else [])

    def start(self) -> bool:
        is_started = self._systemctl(state="started")
        for attempt in range(START_ATTEMPTS):
            if self._host.call_agent(["status"])["running"]:
                return is_started
            if attempt + 1 < START_ATTEMPTS:
                self._host.sleep(START_INTERVAL_S)
        raise AgentError(
            f"{self.unit} was started, but its agent does not answer",
            code="not_reachable",
            path=self.unit,
            hint=f"journalctl --unit {self.unit}",
        )

    def stop(self) -> bool:
        return self._systemctl(state="stopped", is_missing_fine=True)

    def restart(self, release: str) -> None:
        self.stop()
        self.start()

    def remove(self) -> bool:
        is_disabled = self._systemctl(enabled=False, is_missing_fine=True)
        raw = self._host.run_module("ansible.builtin.file", {"path": self.path, "state": "absent"})
        is_removed = changed_or_error(raw, "remove the unit", hint=_HINT)
        if is_removed:
            raw = self._host.run_module("ansible.builtin.systemd_service", {"daemon_reload": True})
            changed_or_error(raw, "reload systemd", hint=_HINT)
        return is_disabled or is_removed

    def _systemctl(self, *, is_missing_fine: bool = False, **arguments: Any) -> bool:
        raw = self._host.run_module("ansible.builtin.systemd_service", {"name": self.unit, **arguments})
        if is_missing_fine and raw.get("failed") and "Could not find the requested service" in str(raw.get("msg")):
            return False
        return changed_or_error(raw, f"control {self.unit}", hint=_HINT)
