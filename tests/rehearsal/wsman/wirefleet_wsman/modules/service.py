# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for ansible.windows.win_service: a real Wine service, with everything else beside it."""

from __future__ import annotations

from typing import Any

from wirefleet_wsman.accounts import UnknownAccountError
from wirefleet_wsman.call import Call, ModuleFailedError, Result
from wirefleet_wsman.services import KEPT_DEFAULTS, Service, Services

# Settings that are compared as they are; None leaves a setting alone.
_PLAIN = (
    "error_control", "failure_actions_on_non_crash_failure", "failure_reset_period_sec", "load_order_group",
    "pre_shutdown_timeout_ms", "service_type", "sid_info", "start_mode",
)  # fmt: skip
# An empty string means none.
_CLEARABLE = ("description", "failure_command", "failure_reboot_msg")
_SHOWN = (
    "dependencies", "description", "desktop_interact", "display_name", "error_control", "failure_actions",
    "failure_actions_on_non_crash_failure", "failure_command", "failure_reboot_msg", "failure_reset_period_sec",
    "load_order_group", "name", "path", "pre_shutdown_timeout_ms", "required_privileges", "service_type", "sid_info",
    "start_mode", "state", "username",
)  # fmt: skip
_NOT_ASKING = frozenset(
    {"name", "dependency_action", "desktop_interact", "force_dependent_services", "update_password"}
)


def win_service(call: Call) -> Result:
    """A service with these settings in this state, or none."""
    services = Services(call.host)
    name = str(call.arguments["name"])
    service = services.read(name)
    if call.arguments.get("state") == "absent":
        return _absent(call, services, service)
    if service is None and not _asks_for_anything(call):
        return {"changed": False, "exists": False, "diff": {"before": "", "after": ""}}
    before = _shown(service) if service else ""
    changed = service is None
    if service is None:
        service = _create(call, services, name)
    changes = _wanted_changes(call, service)
    if changes and not call.check:
        services.change(service["name"], changes)
    service = {**service, **changes}
    state_changed = _bring_to_state(call, services, service)
    password_changed = _sets_password(call, is_new=before == "", changes=changes)
    result = _report(call, services, service)
    result["changed"] = changed or bool(changes) or state_changed or password_changed
    result["diff"] = {"before": before, "after": _shown(service)}
    return result


def _asks_for_anything(call: Call) -> bool:
    return any(value is not None for key, value in call.arguments.items() if key not in _NOT_ASKING) or bool(
        call.arguments.get("desktop_interact")
    )


def _absent(call: Call, services: Services, service: Service | None) -> Result:
    if service is None:
        return {"changed": False, "exists": False, "diff": {"before": "", "after": ""}}
    if not call.check:
        if service["state"] != "stopped":
            _stop(call, services, service["name"])
        services.delete(service["name"])
    return {"changed": True, "exists": False, "diff": {"before": _shown(service), "after": ""}}


def _create(call: Call, services: Services, name: str) -> Service:
    path = call.arguments.get("path")
    if path is None:
        raise ModuleFailedError(f"Service '{name}' is not installed, need to set 'path' to create a new service")
    path = call.host.paths.expand(str(path))
    if not call.check:
        services.create(name, path)
        created = services.read(name)
        if created is None:
            raise ModuleFailedError(f"Service '{name}' was created and is not there", exists=False)
        return created
    return {
        **KEPT_DEFAULTS,
        "name": name,
        "path": path,
        "display_name": name,
        "description": None,
        "start_mode": "manual",
        "state": "stopped",
    }


def _wanted_changes(call: Call, service: Service) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    given = {key: value for key, value in call.arguments.items() if value is not None}
    wanted.update({key: given[key] for key in _PLAIN if key in given})
    wanted.update({key: given[key] or None for key in _CLEARABLE if key in given})
    if given.get("path"):
        wanted["path"] = call.host.paths.expand(str(given["path"]))
    if given.get("display_name"):
        wanted["display_name"] = given["display_name"]
    if "failure_actions" in given:
        wanted["failure_actions"] = [
            {"type": action["type"], "delay_ms": action.get("delay_ms") or 0} for action in given["failure_actions"]
        ]
    if "required_privileges" in given and set(given["required_privileges"]) != set(service["required_privileges"]):
        wanted["required_privileges"] = list(given["required_privileges"])
    if "dependencies" in given:
        wanted["dependencies"] = _dependencies(
            service["dependencies"], given["dependencies"], given["dependency_action"]
        )
    wanted.update(_account(call, service))
    return {key: value for key, value in wanted.items() if service.get(key) != value}


def _dependencies(existing: list[str], given: list[str], action: str) -> list[str]:
    if action == "add":
        return [*existing, *(name for name in given if name not in existing)]
    if action == "remove":
        return [name for name in existing if name not in given]
    if set(existing) == set(given):
        return existing
    return [*(name for name in existing if name in given), *(name for name in given if name not in existing)]


def _account(call: Call, service: Service) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    accounts = call.host.accounts
    name = call.arguments.get("username") or service["username"]
    try:
        sid = accounts.sid_of(str(name))
        if sid != accounts.sid_of(service["username"]):
            wanted["username"] = accounts.name_of(sid) if not sid.startswith("S-1-5-80") else str(name)
    except UnknownAccountError as error:
        raise ModuleFailedError(f"Some or all identity references could not be translated: {error}") from error
    interact = bool(call.arguments["desktop_interact"])
    if interact and sid != "S-1-5-18":
        raise ModuleFailedError("Can only set 'desktop_interact' to true when 'username' equals 'SYSTEM'")
    wanted["desktop_interact"] = interact
    return wanted


def _sets_password(call: Call, *, is_new: bool, changes: dict[str, Any]) -> bool:
    if not call.arguments.get("password"):
        return False
    return is_new or "username" in changes or call.arguments.get("update_password") == "always"


def _bring_to_state(call: Call, services: Services, service: Service) -> bool:
    wanted, name = call.arguments.get("state"), service["name"]
    if wanted == "paused" and service["state"] != "paused":
        raise ModuleFailedError(f"failed to pause service {name}: The service does not support pausing")
    if wanted is None or (wanted == service["state"]):
        return False
    if not call.check:
        if wanted in ("stopped", "restarted") and service["state"] != "stopped":
            _stop(call, services, name)
        if wanted in ("started", "restarted"):
            _start(services, service)
    service["state"] = "stopped" if wanted == "stopped" else "started"
    return True


def _start(services: Services, service: Service) -> None:
    name = service["name"]
    if service["start_mode"] == "disabled":
        raise ModuleFailedError(f"Service '{name}' cannot be started due to the following error: it is disabled.")
    if services.start(name) != "started":
        raise ModuleFailedError(f"Failed to start service '{service['display_name']} ({name})'.")


def _stop(call: Call, services: Services, name: str) -> None:
    for dependent in services.dependents(name):
        other = services.read(dependent)
        if other is None or other["state"] == "stopped":
            continue
        if not call.arguments["force_dependent_services"]:
            raise ModuleFailedError(
                f"Cannot stop service '{name}' because it has dependent services. "
                "It can only be stopped if the Force flag is set."
            )
        services.stop(dependent)
    if services.stop(name) != "stopped":
        raise ModuleFailedError(f"Service '{name}' cannot be stopped: it does not answer.")


def _shown(service: Service) -> dict[str, Any]:
    return {**{key: service[key] for key in _SHOWN}, "password": "REDACTED"}


def _report(call: Call, services: Services, service: Service) -> Result:
    keys = ("dependencies", "description", "desktop_interact", "display_name", "name", "path", "start_mode", "username")
    result: Result = {key: service[key] for key in keys}
    if call.host.accounts.sid_of(service["username"]) == "S-1-5-18":
        result["username"] = "LocalSystem"
    state = str(service["state"]).replace("_", "")
    result.update(
        exists=True,
        state="running" if state == "started" else state,
        can_pause_and_continue=bool(service.get("live", {}).get("controls", 0) & 2),
        depended_by=services.dependents(service["name"]),
    )
    return result
