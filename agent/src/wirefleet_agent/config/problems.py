# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""All that is wrong with a configuration at once, and how to quote a value without quoting a secret."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

from ..errors import ConfigError

MAX_ERRORS = 1000
_SHOWN = 20
_WORD = re.compile(r"[A-Za-z][A-Za-z_-]{0,23}")
_SECRET_LIKE = re.compile(r"(?i)[A-Za-z0-9+/]{32,}|(?:private|pre[\s_-]*shared)[\s_-]*key")


class ConfigErrors(ConfigError):
    """Every problem of one configuration, in the order of its lines.

    message, path and hint are the first one's; ``str()`` shows up to twenty; ``errors`` holds all (reading stops
    after a thousand).
    """

    def __init__(self, errors: Sequence[ConfigError]) -> None:
        first = errors[0]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        super().__init__(first.message + more, path=first.path, hint=first.hint)
        self.errors = tuple(errors)

    def __str__(self) -> str:
        lines = [str(error) for error in self.errors[:_SHOWN]]
        if len(self.errors) > _SHOWN:
            lines.append(f"and {len(self.errors) - _SHOWN} more")
        return "\n".join(lines)


class ValueProblem(Exception):
    """A value is wrong; who reads the file knows where it stands and makes it a ConfigError."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class TooManyProblems(Exception):
    """This is no configuration: there is no use in reading on."""


class Problems:
    """Collects the errors of one file. ``add`` raises TooManyProblems when there are a thousand."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: list[tuple[int, ConfigError]] = []

    @property
    def errors(self) -> list[ConfigError]:
        """In the order of their lines; those of the whole file come first."""
        return [error for _, error in sorted(self._found, key=lambda found: found[0])]

    def add(self, message: str, *, line: int | None = None, key: str = "", hint: str | None = None) -> None:
        """key: ``[Peer] AllowedIPs``, or empty when the whole file or line is meant."""
        place = self.file if line is None else f"{self.file}:{line}"
        self._found.append((line or 0, ConfigError(message, path=f"{place} {key}".rstrip(), hint=hint)))
        if len(self._found) >= MAX_ERRORS:
            raise TooManyProblems


def quote(value: str) -> str:
    """``value`` for an error message: short, printable, and never anything that could be a key."""
    if _SECRET_LIKE.search(value):
        return "(redacted)"
    return repr(value if len(value) <= 60 else value[:57] + "...")


def quote_word(word: str) -> str | None:
    """A key or a section as written if it is plainly a word; None if it could be a piece of anything else."""
    return f"'{word}'" if _WORD.fullmatch(word) else None


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of ``known`` that was probably meant, whatever the case."""
    by_lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word[:64].lower(), by_lower, n=1, cutoff=0.7)
    return by_lower[near[0]] if near else None


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """A hint: the nearest of ``known``, or all of them."""
    near = nearest(word, known)
    return f"did you mean {near}?" if near else f"known here: {', '.join(known)}"
