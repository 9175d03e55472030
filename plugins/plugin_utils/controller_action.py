# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Base of the actions that work on the controller alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible.plugins.action import ActionBase  # type: ignore[import-untyped]
from ansible_collections.wirefleet.wireguard.plugins.module_utils.problems import WireFleetError


class ControllerAction(ActionBase):  # type: ignore[misc]  # ansible-core has no types
    """A subclass names its options in ARGUMENT_SPEC and returns the task's result from act().

    WireFleetError becomes a failed result with every problem in ``errors``.
    """

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    TRANSFERS_FILES = False

    ARGUMENT_SPEC: ClassVar[Mapping[str, dict[str, Any]]] = {}

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Validate the options, act, and return the task's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        self._task_vars: dict[str, Any] = task_vars or {}
        _validation, self.options = self.validate_argument_spec(dict(self.ARGUMENT_SPEC))
        try:
            result.update(self.act())
        except WireFleetError as error:
            result.update(failed=True, msg=str(error), errors=[problem.as_dict() for problem in error.problems])
        return result

    def act(self) -> dict[str, Any]:
        """Do the task's work with self.options; return its result. Raises WireFleetError."""
        raise NotImplementedError

    @property
    def is_check(self) -> bool:
        return bool(self._task.check_mode)

    @property
    def is_diff(self) -> bool:
        return bool(self._task.diff)
