# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of a host: what Wine's control manager really has, and beside it what was asked for and Wine cannot keep.

Path, display name, start type, existence and state come from Wine, so drift is seen. The rest lives in the host's
state under the service's name (Wine's manager takes dependencies and does not give them back).
"""

from __future__ import annotations

from typing import Any

from wirefleet_wsman.host import Host
from wirefleet_wsman.supervisor import FAMILY

# Settings that only the host's state knows, with the values of a new service.
KEPT_DEFAULTS: dict[str, Any] = {
    "dependencies": [],
    "desktop_interact": False,
    "error_control": "normal",
    "failure_actions": [],
    "failure_actions_on_non_crash_failure": False,
    "failure_command": None,
    "failure_reboot_msg": None,
    "failure_reset_period_sec": 0,
    "load_order_group": "",
    "pre_shutdown_timeout_ms": 180000,
    "required_privileges": [],
    "service_type": "win32_own_process",
    "sid_info": "none",
    "username": "NT AUTHORITY\\SYSTEM",
}
_SHOWN_BY_WINE = frozenset({"path", "display_name", "description", "start_mode"})
_PLAYED = frozenset({"failure_actions", "failure_reset_period_sec", "failure_actions_on_non_crash_failure"})

Service = dict[str, Any]


class Services:
    """The services of one host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._inside = host.inside

    def read(self, name: str) -> Service | None:
        """A service under its name or display name, with everything that is known of it; None if there is none."""
        kept = self._host.state.read(FAMILY)
        record = kept.get(name.casefold()) or next(
            (known for known in kept.values() if known.get("display_name", "").casefold() == name.casefold()), None
        )
        real_name = str(record["name"]) if record else name
        real = self._inside.call("service_query", name=real_name)
        if not real["exists"]:
            return None
        known = record or {}
        start = str(real["start"])
        return {
            **KEPT_DEFAULTS,
            **{key: value for key, value in known.items() if key in KEPT_DEFAULTS},
            "name": real_name,
            "description": known.get("description"),
            "path": real["path"],
            "display_name": real["display_name"],
            "start_mode": "delayed" if start == "auto" and known.get("is_delayed") else start,
            "state": real["state"],
            "live": real,
        }

    def create(self, name: str, path: str) -> None:
        """A new service with default settings."""
        self._inside.call("service_create", name=name, path=path)
        with self._host.state.edit(FAMILY) as state:
            state[name.casefold()] = {"name": name, "display_name": name}
        self._inside.call("service_watch", name=name)

    def change(self, name: str, changes: dict[str, Any]) -> None:
        """Change settings; keys are the module's."""
        start = changes.get("start_mode")
        real: dict[str, Any] = {key: changes[key] for key in ("path", "display_name") if key in changes}
        if start is not None:
            real["start"] = "auto" if start == "delayed" else start
        if "description" in changes:
            real["description"] = changes["description"] or ""
        if real:
            self._inside.call("service_change", name=name, **real)
        with self._host.state.edit(FAMILY) as state:
            record = state.setdefault(name.casefold(), {"name": name})
            record.update({key: changes[key] for key in changes if key in KEPT_DEFAULTS})
            record.update({key: changes[key] for key in ("description", "display_name") if key in changes})
            if start is not None:
                record["is_delayed"] = start == "delayed"
        self._inside.call("service_watch", name=name)
        self._report(name, changes)

    def _report(self, name: str, changes: dict[str, Any]) -> None:
        for key in sorted(changes):
            if key == "start_mode" and changes[key] == "delayed":
                self._host.not_shown.add("service", f"{name}: delayed start; Wine starts it at once")
            elif key in _PLAYED:
                self._host.not_shown.add(
                    "service", f"{name}: {key} is played by the rehearsal, Wine's manager has none"
                )
            elif key not in _SHOWN_BY_WINE:
                self._host.not_shown.add("service", f"{name}: {key} is recorded, without effect under Wine")

    def start(self, name: str) -> str:
        """Start a service, the ones it depends on first; returns its state."""
        self._host.supervisor.cancel(name)
        self._inside.call("service_start", name=name)
        self._inside.call("service_watch", name=name)
        return str(self._inside.call("service_query", name=name)["state"])

    def stop(self, name: str) -> str:
        """Stop a service; returns its state."""
        self._host.supervisor.cancel(name)
        self._inside.call("service_stop", name=name)
        return str(self._inside.call("service_query", name=name)["state"])

    def delete(self, name: str) -> None:
        """Delete a stopped service and what is known of it."""
        self._host.supervisor.cancel(name)
        self._inside.call("service_delete", name=name)
        with self._host.state.edit(FAMILY) as state:
            state.pop(name.casefold(), None)

    def dependents(self, name: str) -> list[str]:
        """The services made through stand-ins that depend on a service."""
        wanted = name.casefold()
        names = [str(record["name"]) for record in self._host.state.read(FAMILY).values()]
        found = (self.read(other) for other in names)
        return [
            service["name"]
            for service in found
            if service and wanted in (d.casefold() for d in service["dependencies"])
        ]
