# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command lines as Windows programs read them. Source: documentation of CommandLineToArgvW."""

from __future__ import annotations

import re


def escape_argument(argument: str) -> str:
    """One argument as ansible.windows' ConvertTo-EscapedArgument writes it."""
    if not argument:
        return '""'
    if not re.search(r'[\s"]', argument):
        return argument
    escaped = re.sub(r'(\\*)"', r'\1\1\\"', argument)
    escaped = re.sub(r"(\\+)$", r"\1\1", escaped)
    return f'"{escaped}"'


def join(arguments: list[str]) -> str:
    """A command line that split() reads back as these arguments."""
    return " ".join(escape_argument(argument) for argument in arguments)


def split(line: str) -> list[str]:
    """The arguments of a command line; the first follows the rule for program names (no escapes)."""
    line = line.strip()
    if not line:
        return []
    if line.startswith('"'):
        program, _, rest = line[1:].partition('"')
    else:
        match = re.match(r"\S*", line)
        program = match.group() if match else ""
        rest = line[len(program) :]
    return [program, *_split_arguments(rest)]


def _split_arguments(text: str) -> list[str]:
    arguments: list[str] = []
    current: list[str] | None = None
    in_quotes = False
    position = 0
    while position < len(text):
        slashes = len(text) - position - len(text[position:].lstrip("\\"))
        after = text[position + slashes : position + slashes + 1]
        if slashes:
            escaped_quote = after == '"' and slashes % 2 == 1
            current = (current or []) + ["\\" * (slashes // 2 if after == '"' else slashes)]
            position += slashes
            if escaped_quote:
                current.append('"')
                position += 1
            continue
        if after == '"':
            if in_quotes and text[position + 1 : position + 2] == '"':
                current = (current or []) + ['"']
                position += 1
            else:
                in_quotes = not in_quotes
                current = current or []
        elif after in " \t" and not in_quotes:
            if current is not None:
                arguments.append("".join(current))
                current = None
        else:
            current = (current or []) + [after]
        position += 1
    if current is not None:
        arguments.append("".join(current))
    return arguments
