# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Renders one host's configuration; its documentation is in plugins/modules/wg_config.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.wirefleet.wireguard.plugins.module_utils.plan_files import read_slice
from ansible_collections.wirefleet.wireguard.plugins.module_utils.private_copies import PrivateCopies
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.controller_action import ControllerAction
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.fleet_inventory import default_paths
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.rendering import render_slice


class ActionModule(ControllerAction):
    """Reads one file of the plan, whatever the size of the fleet."""

    ARGUMENT_SPEC: ClassVar[dict[str, dict[str, Any]]] = {
        "host": {"type": "str"},
        "plan_dir": {"type": "path"},
        "log_level": {"type": "str", "choices": ["debug", "info", "warning", "error"], "default": "info"},
        "metrics": {"type": "str", "choices": ["off", "overlay", "loopback"], "default": "off"},
        "dest": {"type": "path"},
    }

    def act(self) -> dict[str, Any]:
        host = str(self.options["host"] or self._task_vars["inventory_hostname"])
        plan_dir = str(self.options["plan_dir"] or default_paths(self._task_vars)[0])
        settings = {name: str(self.options[name]) for name in ("log_level", "metrics")}
        rendered = render_slice(read_slice(plan_dir, host), **settings)
        result: dict[str, Any] = {
            "changed": False,
            "tunnel": rendered.tunnel,
            "conf": rendered.conf,
            "toml": rendered.toml,
            "digest": rendered.digest,
            "public_key": rendered.public_key,
            "preshared_peers": list(rendered.preshared_peers),
            "has_cluster": rendered.has_cluster,
            "pending": list(rendered.pending),
        }
        if self.options["dest"]:
            texts = {f"{rendered.tunnel}.conf": rendered.conf, f"{rendered.tunnel}.toml": rendered.toml}
            result.update(self._copy(Path(str(self.options["dest"])), texts))
        return result

    def _copy(self, directory: Path, texts: dict[str, str]) -> dict[str, Any]:
        copies = PrivateCopies(directory, texts)
        needs_write = copies.needs_write()
        result: dict[str, Any] = {"changed": needs_write, "files": [str(directory / name) for name in texts]}
        if self.is_diff and needs_write:
            result["diff"] = copies.diff()
        if needs_write and not self.is_check:
            copies.write()
        return result
