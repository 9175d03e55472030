# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""One call of the command line, as its verb sees it: where, how, the request on stdin; and what the verb answers."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from ..errors import UsageError, WireFleetError
from .control_protocol import MAX_MESSAGE_BYTES, Json
from .paths import Paths, TunnelPaths

MAX_SECONDS = 7 * 24 * 3600

if TYPE_CHECKING:
    _Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # what add_subparsers returns has no public name


@dataclass(frozen=True)
class Answer:
    """reply: the JSON document. text: the same for people. error: reported beside the reply, and its exit code."""

    reply: Json
    text: str
    error: WireFleetError | None = None


@dataclass(frozen=True)
class Call:
    """What all verbs have in common. arguments: the verb's own."""

    paths: Paths
    tunnel_option: str | None
    check: bool
    stdin: BinaryIO
    arguments: argparse.Namespace

    def tunnel(self) -> TunnelPaths:
        """The tunnel meant: by ``--tunnel``, else the only one configured. Raises UsageError."""
        if self.tunnel_option is not None:
            return self.paths.tunnel(self.tunnel_option)
        configured = self.paths.configured_tunnels()
        if len(configured) == 1:
            return self.paths.tunnel(configured[0])
        found = "none is configured" if not configured else f"configured: {', '.join(configured)}"
        raise UsageError("which tunnel?", path="--tunnel", hint=found)

    def request(self, *, is_required: bool = True) -> Json:
        """The JSON object on stdin; without ``is_required`` nothing, or a terminal, is an empty one."""
        if not is_required and self.stdin.isatty():
            return {}
        raw = self.stdin.read(MAX_MESSAGE_BYTES + 1)
        if len(raw) > MAX_MESSAGE_BYTES:
            raise UsageError(f"more than {MAX_MESSAGE_BYTES >> 20} MiB", path="stdin")
        if not raw.strip() and not is_required:
            return {}
        try:
            request = json.loads(raw)
        except (ValueError, RecursionError):
            # The decoder's own message could quote the input, and with it a secret.
            raise UsageError("one JSON object is expected on stdin", path="stdin") from None
        if not isinstance(request, dict):
            raise UsageError("one JSON object is expected on stdin", path="stdin")
        return request


Verb = Callable[[Call], Answer]


def seconds(text: str) -> float:
    """The type of a time-out option: a number of seconds that ends some day."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to {MAX_SECONDS}")
    return value


class VerbTable:
    """Where verbs enter their names. common: a parser with the options that every verb takes."""

    def __init__(self, subparsers: _Subparsers, common: argparse.ArgumentParser) -> None:
        self._subparsers = subparsers
        self._common = common

    def add(
        self, name: str, help_line: str, verb: Verb | None = None, epilog: str | None = None
    ) -> argparse.ArgumentParser:
        """A verb; without ``verb`` it only has actions (``actions_of``)."""
        parser = self._subparsers.add_parser(
            name,
            help=help_line,
            description=help_line[0].upper() + help_line[1:] + ".",
            epilog=epilog,
            parents=[self._common],
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if verb is not None:
            parser.set_defaults(verb=verb)
        return parser

    def actions_of(self, parser: argparse.ArgumentParser) -> VerbTable:
        return VerbTable(parser.add_subparsers(dest="action", metavar="ACTION", required=True), self._common)
