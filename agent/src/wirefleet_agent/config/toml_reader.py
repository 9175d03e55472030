# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Values out of a TOML document, each checked for its kind; what is wrong is told with its line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from .problems import Problems, ValueProblem, did_you_mean, quote, quote_word

MAX_NAME = 253
_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")
_QUOTED = re.compile(r"""(?P<mark>['"]).{2,}(?P=mark)""", re.DOTALL)
_HEADER = re.compile(r"\s*\[\s*([A-Za-z0-9_-]+)\s*\]")
_ARRAY_HEADER = re.compile(r"\s*\[\[\s*([A-Za-z0-9_-]+)\s*\]\]")
_QUOTED_KEY = re.compile(r"""\s*(?P<mark>['"])(?P<key>.*?)(?P=mark)\s*=""")
T = TypeVar("T")
C = TypeVar("C", bound=str)
_KINDS: dict[type, str] = {
    int: "a whole number",
    dict: "a section",
    list: "a list",
    str: "a text",
    bool: "true or false",
}


class Places:
    """(section, key) -> line, for what is written in the plain way; TOML knows others, then there is no line.

    The sections of an array ``[[name]]`` are called ``name.0``, ``name.1`` and so on.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines: dict[tuple[str, str], int] | None = None

    def line(self, section: str, key: str) -> int | None:
        if self._lines is None:
            self._lines = dict(reversed(list(self._found())))
        return self._lines.get((section, key))

    def _found(self) -> Iterator[tuple[tuple[str, str], int]]:
        section, counts = "", dict[str, int]()
        for number, line in enumerate(self._text.split("\n"), start=1):
            array, header = _ARRAY_HEADER.match(line), _HEADER.match(line)
            if array:
                name = array[1]
                section = f"{name}.{counts.get(name, 0)}"
                counts[name] = counts.get(name, 0) + 1
                yield ("", name), number
                yield (section, ""), number
            elif header:
                section = header[1]
                yield ("", section), number
            else:
                yield (section, line.partition("=")[0].strip()), number
                quoted = _QUOTED_KEY.match(line)
                if quoted:
                    yield (section, quoted["key"]), number


def load(text: str, problems: Problems) -> Mapping[str, object]:
    """The document; empty, and a problem, if it is none."""
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        place = _PLACE.search(str(error))
        message = _QUOTED.sub("(...)", _PLACE.sub("", str(error))) if place else "not readable"
        line = int(place["line"]) if place and place["line"] else None
        problems.add(f"not TOML: {message}", line=line, hint="https://toml.io")
        return {}


class TomlReader:
    """section: as in ``Places``. A value that is missing, or of a wrong kind, which is a problem, is None."""

    def __init__(self, places: Places, problems: Problems) -> None:
        self._places = places
        self._problems = problems

    def get(self, section: str, table: Mapping[str, object], key: str, kind: type[T]) -> T | None:
        value = table.get(key)
        if value is None:
            return None
        if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
            return value
        self.problem(section, key, f"this is {_KINDS.get(type(value), 'something else')}", f"write {_KINDS[kind]}")
        return None

    def number(self, section: str, table: Mapping[str, object], key: str, low: int, high: int, default: int) -> int:
        value = self.get(section, table, key, int)
        if value is None:
            return default
        if not low <= value <= high:
            self.problem(section, key, f"this is a number from {low} to {high}, not {value}", None)
            return default
        return value

    def choice(self, section: str, table: Mapping[str, object], key: str, choices: tuple[C, ...]) -> C | None:
        value = self.get(section, table, key, str)
        if value is None:
            return None
        for choice in choices:
            if value == choice:
                return choice
        self.problem(section, key, f"{quote(value)} is not possible here", did_you_mean(value, choices))
        return None

    def name(self, section: str, table: Mapping[str, object], key: str) -> str | None:
        value = self.get(section, table, key, str)
        if value is None or (0 < len(value) <= MAX_NAME and value.isprintable()):
            return value
        self.problem(section, key, "a name is printable text", f"1 to {MAX_NAME} characters on one line")
        return None

    def different(
        self, section: str, table: Mapping[str, object], key: str, parse: Callable[[str], T]
    ) -> tuple[T, ...]:
        """A list of texts, each of which ``parse`` reads or raises ValueProblem for; none may stand there twice."""
        found: dict[T, None] = {}
        for entry in self.get(section, table, key, list) or ():
            if not isinstance(entry, str):
                kind = _KINDS.get(type(entry), "something else")
                self.problem(section, key, f"an entry is {kind}", "write a list of texts")
                continue
            try:
                value = parse(entry)
            except ValueProblem as problem:
                self.problem(section, key, problem.message, problem.hint)
                continue
            if value in found:
                self.problem(section, key, f"{value} stands there twice", "keep one of them")
            found[value] = None
        return tuple(found)

    def section(self, document: Mapping[str, object], name: str, known: Sequence[str]) -> Mapping[str, object]:
        found: Mapping[str, object] = self.get("", document, name, dict) or {}
        self.refuse_unknown(name, found, known)
        return found

    def sections(
        self, document: Mapping[str, object], name: str, known: Sequence[str]
    ) -> Iterator[tuple[str, Mapping[str, object]]]:
        """What stands below each ``[[name]]``, with what the section is called."""
        for number, table in enumerate(self.get("", document, name, list) or ()):
            if not isinstance(table, dict):
                self.problem("", name, f"an entry is {_KINDS.get(type(table), 'something else')}", f"write [[{name}]]")
                continue
            called = f"{name}.{number}"
            self.refuse_unknown(called, table, known)
            yield called, table

    def refuse_unknown(self, section: str, table: Mapping[str, object], known: Sequence[str]) -> None:
        for key in table:
            if key not in known:
                self.problem(section, key, "unknown key", did_you_mean(key, known))

    def problem(self, section: str, key: str, message: str, hint: str | None) -> None:
        """key: empty when the whole section is meant."""
        name, is_array, _ = section.partition(".")
        place = f"[[{name}]] " if is_array else f"[{name}] " if name else ""
        word = (quote_word(key) or "").strip("'")
        line = self._places.line(section, key)
        if line is None and is_array:
            line = self._places.line(section, "")
        self._problems.add(message, line=line, key=(place + word).rstrip(), hint=hint)
