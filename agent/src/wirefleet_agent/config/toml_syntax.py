# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Reads ``<tunnel>.toml``: what WireGuard has no words for.

::

    schema = 1
    [host]
    name = "hub-1"
    role = "hub"             # or "spoke"
    forwarding = true        # let packets pass between this host's interfaces
    [logging]
    level = "info"           # debug info warning error
    [peers]                  # public key -> name, for people; keys of strangers are ignored
    "BASE64=" = "hub-2"
    [cluster]                # see toml_cluster.py
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import TypeVar, get_args

from ..keys import PublicKey
from . import values
from .model import AgentOptions, LogLevel, Role
from .problems import Problems, ValueProblem, did_you_mean, quote, quote_word
from .toml_cluster import read_cluster

SCHEMA = 1
_MAX_NAME = 253
_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")
_QUOTED = re.compile(r"""(?P<mark>['"]).{2,}(?P=mark)""", re.DOTALL)
_HEADER = re.compile(r"\s*\[\s*([A-Za-z0-9_-]+)\s*\]")
_QUOTED_KEY = re.compile(r"""\s*(?P<mark>['"])(?P<key>.*?)(?P=mark)\s*=""")
T = TypeVar("T")
C = TypeVar("C", bound=str)
_KINDS: dict[type, str] = {int: "a whole number", dict: "a section", str: "a text", bool: "true or false"}


def read_toml(text: str, problems: Problems) -> tuple[AgentOptions, dict[PublicKey, str]]:
    """The options and the peers' names; an empty text is all defaults. Problems go to ``problems``."""
    try:
        document = tomllib.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        place = _PLACE.search(str(error))
        message = _QUOTED.sub("(...)", _PLACE.sub("", str(error))) if place else "not readable"
        line = int(place["line"]) if place and place["line"] else None
        problems.add(f"not TOML: {message}", line=line, hint="https://toml.io")
        return AgentOptions(), {}
    return _Reader(text, document, problems).read()


class _Reader:
    def __init__(self, text: str, document: Mapping[str, object], problems: Problems) -> None:
        self._text = text
        self._document = document
        self._problems = problems

    def read(self) -> tuple[AgentOptions, dict[PublicKey, str]]:
        if not self._document:
            return AgentOptions(), {}
        self._refuse_unknown("", self._document, ("schema", "host", "logging", "peers", "cluster"))
        if self._get("", self._document, "schema", int) != SCHEMA:
            self._problem("", "schema", "unknown schema", f"write schema = {SCHEMA}")
        host = self._section("host", ("name", "role", "forwarding"))
        logging = self._section("logging", ("level",))
        cluster: Mapping[str, object] | None = self._get("", self._document, "cluster", dict)
        options = AgentOptions(
            is_forwarding=self._get("host", host, "forwarding", bool) or False,
            log_level=self._choice("logging", logging, "level", get_args(LogLevel)) or "info",
            host=self._name("host", host, "name"),
            role=self._choice("host", host, "role", get_args(Role)),
            cluster=None if cluster is None else read_cluster(cluster, partial(self._problem, "cluster")),
        )
        return options, self._names()

    def _section(self, name: str, known: Sequence[str]) -> Mapping[str, object]:
        section = self._get("", self._document, name, dict) or {}
        self._refuse_unknown(name, section, known)
        return section

    def _names(self) -> dict[PublicKey, str]:
        section = self._get("", self._document, "peers", dict) or {}
        names: dict[PublicKey, str] = {}
        for text in section:
            name = self._name("peers", section, text)
            try:
                key = values.parse_public_key(text)
            except ValueProblem as problem:
                self._problem("peers", text, problem.message, problem.hint)
            else:
                if name is not None:
                    names[key] = name
        return names

    def _get(self, section: str, table: Mapping[str, object], key: str, kind: type[T]) -> T | None:
        value = table.get(key)
        if value is None:
            return None
        if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
            return value
        self._problem(section, key, f"this is {_KINDS.get(type(value), 'something else')}", f"write {_KINDS[kind]}")
        return None

    def _choice(self, section: str, table: Mapping[str, object], key: str, choices: tuple[C, ...]) -> C | None:
        value = self._get(section, table, key, str)
        if value is None:
            return None
        for choice in choices:
            if value == choice:
                return choice
        self._problem(section, key, f"{quote(value)} is not possible here", did_you_mean(value, choices))
        return None

    def _name(self, section: str, table: Mapping[str, object], key: str) -> str | None:
        value = self._get(section, table, key, str)
        if value is None or (0 < len(value) <= _MAX_NAME and value.isprintable()):
            return value
        self._problem(section, key, "a name is printable text", f"1 to {_MAX_NAME} characters on one line")
        return None

    def _refuse_unknown(self, section: str, table: Mapping[str, object], known: Sequence[str]) -> None:
        for key in table:
            if key not in known:
                self._problem(section, key, "unknown key", did_you_mean(key, known))

    def _problem(self, section: str, key: str, message: str, hint: str | None) -> None:
        place = f"[{section}] " if section else ""
        word = (quote_word(key) or "").strip("'")
        self._problems.add(message, line=self._places.get((section, key)), key=place + word, hint=hint)

    @cached_property
    def _places(self) -> dict[tuple[str, str], int]:
        """(section, key) -> line, for what is written in the plain way; TOML knows others, then there is no line."""
        places: dict[tuple[str, str], int] = {}
        section = ""
        for number, line in enumerate(self._text.split("\n"), start=1):
            header = _HEADER.match(line)
            if header:
                section = header[1]
                places.setdefault(("", section), number)
            else:
                places.setdefault((section, line.partition("=")[0].strip()), number)
                quoted = _QUOTED_KEY.match(line)
                if quoted:
                    places.setdefault((section, quoted["key"]), number)
        return places
