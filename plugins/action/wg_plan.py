# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plans the whole fleet once; its documentation is in plugins/modules/wg_plan.py."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.wirefleet.wireguard.plugins.module_utils.plan_diff import diff_plans
from ansible_collections.wirefleet.wireguard.plugins.module_utils.plan_files import PlanChanges, PlanFiles
from ansible_collections.wirefleet.wireguard.plugins.module_utils.planner import Plan, PlanRequest, make_plan
from ansible_collections.wirefleet.wireguard.plugins.module_utils.problems import shorten
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.controller_action import ControllerAction
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.fleet_inventory import (
    default_paths,
    hosts_within_limit,
    plain,
    plain_mapping,
    read_fleet_variables,
)

_FLEET_OPTIONS = (
    "tunnel",
    "overlay_prefixes",
    "port",
    "mtu",
    "keepalive",
    "regions",
    "site_supernets",
    "preshared_keys",
)


class ActionModule(ControllerAction):
    """One call per play: Ansible runs it for the first host only."""

    BYPASS_HOST_LOOP = True

    ARGUMENT_SPEC: ClassVar[dict[str, dict[str, Any]]] = {
        "hubs_group": {"type": "str", "default": "hubs"},
        "spokes_group": {"type": "str", "default": "spokes"},
        "tunnel": {"type": "str"},
        "overlay_prefixes": {"type": "list", "elements": "str"},
        "port": {"type": "int"},
        "mtu": {"type": "int"},
        "keepalive": {"type": "int"},
        "regions": {"type": "list", "elements": "str"},
        "site_supernets": {"type": "list", "elements": "str"},
        "preshared_keys": {"type": "bool"},
        "public_keys": {"type": "dict", "default": {}, "no_log": False},
        "public_keys_register": {"type": "str", "no_log": False},
        "lock_path": {"type": "path"},
        "plan_dir": {"type": "path"},
        "allow_degraded": {"type": "bool", "default": False},
        "release_removed": {"type": "list", "elements": "str", "default": []},
        "renumber": {"type": "bool", "default": False},
    }

    def act(self) -> dict[str, Any]:
        files = self._files()
        request = self._request()
        warnings = []
        if files.is_lock_lost():
            warnings.append(f"There is a plan but no lock file {files.lock_path}; addresses are given out anew.")
        plan = make_plan(request, files.read_lock())
        changes = files.compare(plan)
        result = self._report(files, plan, changes, warnings)
        if changes and self.is_diff:
            result["diff"] = {**diff_plans(files.read_plan(), plan), **_headers(files)}
        if changes and self.is_check:
            result["plan_dir"] = str(files.write_scratch(plan))
        elif changes:
            files.write(plan, changes)
        elif not self.is_check:
            files.remove_scratch()
        return result

    def _files(self) -> PlanFiles:
        plan_dir, lock_path = self.options["plan_dir"], self.options["lock_path"]
        if not plan_dir or not lock_path:
            default_dir, default_lock = default_paths(self._task_vars, self.options["hubs_group"])
            plan_dir, lock_path = plan_dir or default_dir, lock_path or default_lock
        return PlanFiles(str(plan_dir), str(lock_path))

    def _request(self) -> PlanRequest:
        read = read_fleet_variables(
            self._task_vars,
            self._loader,
            self.options["hubs_group"],
            self.options["spokes_group"],
            self.options["public_keys_register"],
        )
        given = plain_mapping(self.options["public_keys"])
        return PlanRequest(
            hubs=read.hubs,
            spokes=read.spokes,
            variables=read.variables,
            options={name: plain(self.options[name]) for name in _FLEET_OPTIONS},
            public_keys={**read.public_keys, **{name: key for name, key in given.items() if key}},
            allow_degraded=self.options["allow_degraded"],
            renumber=self.options["renumber"],
            release_removed=[str(name) for name in self.options["release_removed"]],
        )

    def _report(self, files: PlanFiles, plan: Plan, changes: PlanChanges, warnings: list[str]) -> dict[str, Any]:
        reached = hosts_within_limit(self._task_vars)
        stale = [name for name in changes.changed_slices if name not in reached]
        warnings += plan.warnings
        if stale:
            warnings.append(f"Outside of --limit and not up to date until a run reaches them: {shorten(stale)}.")
        return {
            "changed": bool(changes),
            "plan_dir": str(files.plan_dir),
            "lock_path": str(files.lock_path),
            "hosts": {name: dict(summary) for name, summary in plan.hosts.items()},
            "pending": list(plan.pending),
            "removed": list(plan.removed),
            "changed_slices": list(changes.changed_slices),
            "stale": stale,
            **({"warnings": warnings} if warnings else {}),
        }


def _headers(files: PlanFiles) -> dict[str, str]:
    path = str(files.plan_dir)
    return {"before_header": f"{path} (before)", "after_header": f"{path} (after)"}
