# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Problems that an operator must solve: collected first, reported together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_HOSTS_SHOWN = 8
_PROBLEMS_SHOWN = 40


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong. path: the variable, option or file. Never holds a secret."""

    message: str
    hosts: tuple[str, ...] = ()
    path: str | None = None
    hint: str | None = None

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        who = f" [{shorten(self.hosts)}]" if self.hosts else ""
        hint = f" -- {self.hint}" if self.hint else ""
        return f"{where}{self.message}{who}{hint}"

    def as_dict(self) -> dict[str, object]:
        return {"message": self.message, "hosts": list(self.hosts), "path": self.path, "hint": self.hint}


class WireFleetError(Exception):
    """Base of the errors of this collection's utilities; carries at least one problem."""

    summary = "This cannot be done"

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__(str(self))

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return f"{self.summary}: {self.problems[0]}"
        shown = [f"- {problem}" for problem in self.problems[:_PROBLEMS_SHOWN]]
        hidden = len(self.problems) - len(shown)
        if hidden:
            shown.append(f"- and {hidden} more problems")
        return "\n".join([f"{self.summary}; {len(self.problems)} problems:", *shown])


class PlanError(WireFleetError):
    """The inventory, the options or the lock file do not make a fleet; nothing was written."""

    summary = "The fleet cannot be planned"


class PlanFilesError(WireFleetError):
    """The plan's files are missing, damaged or cannot be written."""

    summary = "The plan's files cannot be used"


class SecretFileError(WireFleetError):
    """A file with a secret is missing, damaged or cannot be written."""

    summary = "The key file cannot be used"


class Problems:
    """Collects problems until it is time to report all of them; one that concerns many hosts is reported once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str | None, str | None], dict[str, None]] = {}

    def add(self, message: str, *, hosts: Iterable[str] = (), path: str | None = None, hint: str | None = None) -> None:
        self._found.setdefault((message, path, hint), {}).update(dict.fromkeys(hosts))

    def __bool__(self) -> bool:
        return bool(self._found)

    def concern(self, host: str, path: str) -> bool:
        """Whether one of the problems is about this path of this host."""
        return any(host in hosts for (_message, about, _hint), hosts in self._found.items() if about == path)

    def as_tuple(self) -> tuple[Problem, ...]:
        """All problems in the order in which they were found."""
        return tuple(Problem(message, tuple(hosts), path, hint) for (message, path, hint), hosts in self._found.items())

    def raise_if_any(self) -> None:
        """Raise PlanError with everything found so far."""
        if self._found:
            raise PlanError(self.as_tuple())


def shorten(names: Sequence[str], shown: int = _HOSTS_SHOWN) -> str:
    """Names for a message, bounded in length."""
    text = ", ".join(names[:shown])
    return text if len(names) <= shown else f"{text} and {len(names) - shown} more"
