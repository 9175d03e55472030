# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stand-in is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wirefleet_wsman.host import Host
from wirefleet_wsman.processes import ProcessScope

Result = dict[str, Any]


class ModuleFailedError(Exception):
    """The module fails as the real one would; the keyword arguments are returned besides `msg`."""

    def __init__(self, message: str, **result: Any) -> None:
        super().__init__(message)
        self.result = result


@dataclass(frozen=True)
class Call:
    """One call of a module.

    arguments: checked and converted, defaults filled in. internal: the controller's own, names begin with "_".
    scope: processes that have to end with the task.
    """

    arguments: Mapping[str, Any]
    internal: Mapping[str, Any]
    host: Host
    scope: ProcessScope = field(default_factory=ProcessScope)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def check(self) -> bool:
        """Whether nothing may be changed."""
        return bool(self.internal.get("_ansible_check_mode"))

    @property
    def diff(self) -> bool:
        """Whether the controller wants to see the difference."""
        return bool(self.internal.get("_ansible_diff"))

    def local(self, name: str, *, writing: bool = False) -> Path:
        """The Linux path of a path argument."""
        return self.host.paths.to_local(str(self.arguments[name]), writing=writing)

    def exists(self, path: str) -> bool:
        """Whether a Windows path exists."""
        return self.host.paths.to_local(path).exists()


StandIn = Callable[[Call], Result]
