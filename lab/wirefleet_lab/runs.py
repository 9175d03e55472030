# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a finished ansible-playbook says of its hosts."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)
_TAIL_CHARACTERS = 8000


@dataclass
class Recap:
    """Counts of one host at the end of a run."""

    ok: int
    changed: int
    unreachable: int
    failed: int


@dataclass
class Run:
    """One finished ansible command."""

    returncode: int
    output: str
    duration_s: float

    @property
    def recap(self) -> dict[str, Recap]:
        return {match[1]: Recap(*map(int, match.groups()[1:])) for match in _RECAP.finditer(self.output)}

    @property
    def changed(self) -> dict[str, int]:
        return {name: recap.changed for name, recap in self.recap.items() if recap.changed}

    @property
    def tail(self) -> str:
        return self.output[-_TAIL_CHARACTERS:]
