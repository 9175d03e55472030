# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to keep the agent running on a host: as a process of its own, or under systemd."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent_reply import AgentError, agent_directory

UNIT_DIRECTORY = "/etc/systemd/system"
# The agent's release brings the unit; every tunnel is an instance of it.
UNIT_TEMPLATE = "wirefleet-agent@.service"
START_ATTEMPTS = 20
START_INTERVAL_S = 0.5


class HostCalls(Protocol):
    """What a backend needs of an action: the agent's verbs and modules on the host."""

    @property
    def is_check(self) -> bool:
        """Whether nothing may change."""

    def call_agent(self, verb: Sequence[str]) -> dict[str, Any]:
        """Run one verb of the agent; raises AgentError."""

    def run_module(self, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Run a module on the host, in the check mode of the task."""


class ServiceBackend(Protocol):
    """One way to keep the agent of a tunnel running. Every method returns whether it changed anything."""

    name: str

    def define(self) -> bool:
        """Make the service known to the host; it starts with the host from now on."""

    def start(self) -> bool:
        """Start the agent and wait until it answers. Raises AgentError if it does not."""

    def stop(self) -> bool:
        """Stop the agent and wait until it is gone."""

    def remove(self) -> bool:
        """Forget the service; it has been stopped."""


class ProcessBackend:
    """The agent puts itself into the background; nothing starts it after a reboot."""

    name = "process"

    def __init__(self, host: HostCalls) -> None:
        self._host = host

    def define(self) -> bool:
        return False

    def start(self) -> bool:
        return bool(self._host.call_agent(["daemon", "start", "--wait"])["changed"])

    def stop(self) -> bool:
        return bool(self._host.call_agent(["daemon", "stop"])["changed"])

    def remove(self) -> bool:
        return False


class SystemdBackend:
    """An enabled instance of the agent's own unit, which has the capabilities that a tunnel needs and no others."""

    name = "systemd"

    def __init__(self, host: HostCalls, tunnel: str) -> None:
        self._host = host
        self.unit = UNIT_TEMPLATE.replace("@", f"@{tunnel}")
        self.path = f"{UNIT_DIRECTORY}/{UNIT_TEMPLATE}"

    def define(self) -> bool:
        source = f"{agent_directory('/', is_windows=False)}/current/share/{UNIT_TEMPLATE}"
        arguments = {"src": source, "dest": self.path, "mode": "0644", "remote_src": True}
        is_written = _changed(self._host.run_module("ansible.builtin.copy", arguments), "install the unit")
        if is_written and self._host.is_check:
            return True  # systemd does not know the unit yet
        is_enabled = self._systemctl(enabled=True, daemon_reload=is_written)
        return is_written or is_enabled

    def start(self) -> bool:
        is_started = self._systemctl(state="started")
        for attempt in range(START_ATTEMPTS):
            if self._host.call_agent(["status"])["running"]:
                return is_started
            if attempt + 1 < START_ATTEMPTS:
                time.sleep(START_INTERVAL_S)
        raise AgentError(
            f"{self.unit} was started, but its agent does not answer",
            code="not_reachable",
            path=self.unit,
            hint=f"journalctl --unit {self.unit}",
        )

    def stop(self) -> bool:
        return self._systemctl(state="stopped", is_missing_fine=True)

    def remove(self) -> bool:
        is_disabled = self._systemctl(enabled=False, is_missing_fine=True)
        is_removed = _changed(
            self._host.run_module("ansible.builtin.file", {"path": self.path, "state": "absent"}), "remove the unit"
        )
        if is_removed:
            _changed(
                self._host.run_module("ansible.builtin.systemd_service", {"daemon_reload": True}), "reload systemd"
            )
        return is_disabled or is_removed

    def _systemctl(self, *, is_missing_fine: bool = False, **arguments: Any) -> bool:
        raw = self._host.run_module("ansible.builtin.systemd_service", {"name": self.unit, **arguments})
        if is_missing_fine and raw.get("failed") and "Could not find the requested service" in str(raw.get("msg")):
            return False
        return _changed(raw, f"control {self.unit}")


def _changed(raw: Mapping[str, Any], purpose: str) -> bool:
    if raw.get("failed"):
        raise AgentError(f"cannot {purpose}: {raw.get('msg')}", code="service", hint="see journalctl on the host")
    return bool(raw.get("changed"))
