# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compares a host with its slice of the plan; its documentation is in plugins/modules/wg_verify.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from ansible_collections.wirefleet.wireguard.plugins.module_utils.plan_files import read_slice
from ansible_collections.wirefleet.wireguard.plugins.module_utils.problems import shorten
from ansible_collections.wirefleet.wireguard.plugins.module_utils.verify import Finding, find_differences
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.controller_action import ControllerAction
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.fleet_inventory import default_paths, plain_mapping

_SHOWN = 20
ACTIVE_HUB = "active_hub_mismatch"
# In the result, but nothing to look at: hosts with both families see each other at either.
_QUIET = ("endpoint_other_family",)


class ActionModule(ControllerAction):
    """Reads one slice and one status; changes nothing."""

    ARGUMENT_SPEC: ClassVar[dict[str, dict[str, Any]]] = {
        "host": {"type": "str"},
        "plan_dir": {"type": "path"},
        "observed": {"type": "dict", "required": True},
        "expected_digest": {"type": "str"},
        "max_handshake_age_s": {"type": "int", "default": 180},
        "overrides": {"type": "dict", "default": {}},
        "fail_on_active_hub": {"type": "bool", "default": True},
        "fail_on_findings": {"type": "bool", "default": True},
    }

    def act(self) -> dict[str, Any]:
        host = str(self.options["host"] or self._task_vars["inventory_hostname"])
        plan_dir = str(self.options["plan_dir"] or default_paths(self._task_vars)[0])
        observed = plain_mapping(self.options["observed"])
        findings = find_differences(
            read_slice(plan_dir, host),
            observed,
            expected_digest=self.options["expected_digest"],
            max_handshake_age_s=self.options["max_handshake_age_s"],
            overrides={str(spoke): str(hub) for spoke, hub in self.options["overrides"].items()},
        )
        if not self.options["fail_on_active_hub"]:
            findings = [replace(one, severity="warning") if one.name == ACTIVE_HUB else one for one in findings]
        errors = [finding for finding in findings if finding.severity == "error"]
        result = {"changed": False, "findings": [finding.as_dict() for finding in findings], "ok": not errors}
        if warnings := _warnings(
            host, [one for one in findings if one.severity == "warning" and one.name not in _QUIET]
        ):
            result["warnings"] = warnings
        if errors and self.options["fail_on_findings"]:
            result.update(failed=True, msg=_message(host, errors))
        return result


def _warnings(host: str, findings: Sequence[Finding]) -> list[str]:
    """One line for each kind of finding, so that a hub with thousands of spokes says it in a few."""
    kinds: dict[str, list[Finding]] = {}
    for finding in findings:
        kinds.setdefault(finding.name, []).append(finding)
    lines = []
    for name, alike in kinds.items():
        peers = [finding.peer for finding in alike if finding.peer]
        who = f" ({shorten(peers)})" if peers else ""
        what = f": {alike[0].message}" if len(alike) == 1 else ""
        lines.append(f"{host}: {name}{who}{what} -- {alike[0].hint}")
    return lines


def _message(host: str, errors: Sequence[Finding]) -> str:
    lines = [f"- {e.name}{f' ({e.peer})' if e.peer else ''}: {e.message} -- {e.hint}" for e in errors[:_SHOWN]]
    if len(errors) > _SHOWN:
        lines.append(f"- and {len(errors) - _SHOWN} more")
    return "\n".join([f"{host} is not as planned:", *lines])
