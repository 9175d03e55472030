# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for ansible.windows.win_service_info."""

from __future__ import annotations

from fnmatch import fnmatchcase

from wirefleet_wsman.call import Call, Result
from wirefleet_wsman.services import Service, Services
from wirefleet_wsman.supervisor import FAMILY

_CONTROLS = {
    1: "stop", 2: "pause_continue", 4: "shutdown", 8: "param_change", 16: "netbind_change",
    32: "hardware_profile_change", 64: "power_event", 128: "session_change", 256: "pre_shutdown",
}  # fmt: skip
_SAME = (
    "dependencies", "description", "desktop_interact", "display_name", "error_control", "failure_actions",
    "failure_actions_on_non_crash_failure", "failure_command", "failure_reboot_msg", "failure_reset_period_sec",
    "load_order_group", "name", "path", "pre_shutdown_timeout_ms", "required_privileges", "service_type", "sid_info",
    "start_mode", "state", "username",
)  # fmt: skip


def win_service_info(call: Call) -> Result:
    """One service, those that match a pattern, or all that were made through stand-ins."""
    services = Services(call.host)
    name = call.arguments.get("name")
    known = [str(record["name"]) for record in call.host.state.read(FAMILY).values()]
    if name and not any(sign in name for sign in "*?"):
        names = [str(name)]
    else:
        names = [other for other in known if _matches(other, str(name or "*"))]
    found = [service for service in (services.read(other) for other in names) if service is not None]
    return {"exists": bool(found), "services": [_describe(services, service) for service in found]}


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name.casefold(), pattern.casefold())


def _describe(services: Services, service: Service) -> Result:
    live = service["live"]
    return {
        **{key: service[key] for key in _SAME},
        "checkpoint": live["checkpoint"],
        "controls_accepted": [text for bit, text in _CONTROLS.items() if live["controls"] & bit],
        "dependency_of": services.dependents(service["name"]),
        "launch_protection": "none",
        "preferred_node": None,
        "process_id": live["process_id"],
        "service_exit_code": live["service_exit_code"],
        "service_flags": [],
        "triggers": [],
        "wait_hint_ms": live["wait_hint"],
        "win32_exit_code": live["win32_exit_code"],
    }
