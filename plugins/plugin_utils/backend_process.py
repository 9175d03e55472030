# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent puts itself into the background; nothing starts it after a reboot."""

from __future__ import annotations

from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.backends import HostCalls


class ProcessBackend:
    """Backend ``process``, for labs and containers."""

    name = "process"

    def __init__(self, host: HostCalls) -> None:
        self._host = host

    def define(self, release: str, *, is_wanted: bool) -> list[str]:
        return []

    def start(self) -> bool:
        return bool(self._host.call_agent(["daemon", "start", "--wait"])["changed"])

    def stop(self) -> bool:
        return bool(self._host.call_agent(["daemon", "stop"])["changed"])

    def restart(self, release: str) -> None:
        self.stop()
        self.start()

    def remove(self) -> bool:
        return False
