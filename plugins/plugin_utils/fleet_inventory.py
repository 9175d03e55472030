# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole fleet's variables from Ansible's inventory, in time that a large fleet can bear.

``hostvars[name]`` makes a templating engine per host; ``hostvars.raw_get(name)`` only merges the host's variables, with
Ansible's own precedence (groups, host, facts, registered results, extra variables) and in a tenth of a millisecond.
So raw values are read, and only those that hold a template go through one engine that all hosts share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.template import Templar  # type: ignore[import-untyped]
from ansible_collections.wirefleet.wireguard.plugins.module_utils.plan_files import LOCK_NAME
from ansible_collections.wirefleet.wireguard.plugins.module_utils.planner import FLEET_VARIABLES, HOST_VARIABLES
from ansible_collections.wirefleet.wireguard.plugins.module_utils.problems import PlanError, Problems

PREFIX = "wirefleet_"
PLAN_DIR_NAME = ".wirefleet"
# What the planner reads; other variables of the same prefix (paths of secrets, vaulted values) are left alone.
_READ = tuple(PREFIX + name for name in (*FLEET_VARIABLES, *HOST_VARIABLES))
_PLATFORM = PREFIX + "platform"
_CONNECTION = ("ansible_connection", "ansible_shell_type")
_TEMPLATE_MARKS = ("{{", "{%", "{#")


@dataclass(frozen=True)
class FleetVariables:
    """What the inventory says. variables: per host, the ``wirefleet_*`` ones as plain values."""

    hubs: Sequence[str]
    spokes: Sequence[str]
    variables: Mapping[str, Mapping[str, object]]
    public_keys: Mapping[str, object] = field(default_factory=dict)


def read_fleet_variables(
    task_vars: Mapping[str, Any], loader: Any, hubs_group: str, spokes_group: str, register: str | None = None
) -> FleetVariables:
    """Read both groups of the whole inventory, whatever the play's hosts and --limit are.

    register: name of a variable with a registered result; its ``public_key`` counts as the host's key.
    Raises PlanError for values that cannot be templated.
    """
    groups, hostvars = task_vars["groups"], task_vars["hostvars"]
    hubs, spokes = [[str(name) for name in groups.get(group, ())] for group in (hubs_group, spokes_group)]
    problems = Problems()
    engine = Templar(loader=loader)
    variables: dict[str, Mapping[str, object]] = {}
    public_keys: dict[str, object] = {}
    for name in dict.fromkeys([*hubs, *spokes]):
        raw = hostvars.raw_get(name)
        variables[name] = _fleet_values(name, raw, engine, problems)
        result = raw.get(register) if register else None
        if isinstance(result, Mapping) and result.get("public_key"):
            public_keys[name] = plain(result["public_key"])
    problems.raise_if_any()
    return FleetVariables(hubs, spokes, variables, public_keys)


def _fleet_values(name: str, raw: Mapping[str, Any], engine: Templar, problems: Problems) -> dict[str, object]:
    values: dict[str, object] = {}
    for key in (*_READ, *_CONNECTION):
        value = raw.get(key)
        if value is None:
            continue
        if holds_template(value):
            engine.available_variables = raw
            try:
                value = engine.template(value)
            except Exception as error:  # noqa: BLE001 - a template may raise anything; each becomes a named problem
                if key in _CONNECTION:
                    continue  # only a guess at the platform hangs on it
                message = " ".join(str(error).split())
                problems.add(f"the template cannot be evaluated: {message}", hosts=(name,), path=key)
                continue
        values[key] = plain(value)
    connection, shell = (values.pop(key, None) for key in _CONNECTION)
    if values.get(_PLATFORM) is None and is_windows_connection(connection, shell):
        values[_PLATFORM] = "windows"
    return values


def is_windows_connection(connection: object, shell: object) -> bool:
    """Whether Ansible reaches a host as one of Windows: by WinRM or PSRP, or by SSH to one of its shells."""
    return str(connection).rpartition(".")[2] in ("winrm", "psrp") or shell in ("powershell", "cmd")


def holds_template(value: object) -> bool:
    """Whether a raw value may have to be templated."""
    if isinstance(value, str):
        return any(mark in value for mark in _TEMPLATE_MARKS)
    if isinstance(value, Mapping):
        return any(holds_template(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(holds_template(item) for item in value)
    return value is not None and not isinstance(value, (bool, int, float))  # such as a value that a vault encrypts


def plain(value: object) -> object:
    """The same value without Ansible's tags: exactly str, int, float, bool, None, dict and list."""
    if isinstance(value, str):
        return str.__str__(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return plain_mapping(value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, int):
        return int(value)
    return float(value) if isinstance(value, float) else str(value)


def plain_mapping(value: Mapping[Any, Any]) -> dict[str, object]:
    """A mapping as ``plain`` makes it."""
    return {str(key): plain(item) for key, item in value.items()}


def default_paths(task_vars: Mapping[str, Any], hubs_group: str = "hubs") -> tuple[str, str]:
    """Plan directory and lock file beside the inventory of the first hub, the same for every host and every --limit.

    Raises PlanError if the inventory lies in no directory (such as a list of hosts on the command line).
    """
    hubs = sorted(str(name) for name in task_vars["groups"].get(hubs_group, ()))
    variables = task_vars["hostvars"].raw_get(hubs[0]) if hubs else task_vars
    directory = variables.get("inventory_dir")
    if not directory:
        problems = Problems()
        problems.add(
            "the inventory is in no directory",
            path="plan_dir",
            hint="give plan_dir and lock_path, or use an inventory file",
        )
        raise PlanError(problems.as_tuple())
    return str(Path(str(directory)) / PLAN_DIR_NAME), str(Path(str(directory)) / LOCK_NAME)


def hosts_within_limit(task_vars: Mapping[str, Any]) -> frozenset[str]:
    """Hosts that --limit lets this run reach."""
    inventory = getattr(task_vars["hostvars"], "_inventory", None)
    if inventory is None:  # pragma: no cover - another HostVars than ansible-core's
        return frozenset(str(name) for name in task_vars.get("ansible_play_hosts_all", ()))
    return frozenset(str(host.name) for host in inventory.get_hosts(ignore_restrictions=True))
