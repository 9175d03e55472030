# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a key module and hides its result if there is a secret in it."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase  # type: ignore[import-untyped]

SECRET_KEYS = ("private_key", "preshared_key")


class KeyAction(ActionBase):  # type: ignore[misc]  # ansible-core has no types
    """The module of the same name does the work; only an action can mark a single result no_log."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module; a result with a secret is registered as it is, and shown by no callback."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        result.update(self._execute_module(task_vars=task_vars))
        if any(result.get(key) for key in SECRET_KEYS):
            result["_ansible_no_log"] = True
        return result
