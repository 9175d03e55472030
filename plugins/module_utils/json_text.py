# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text of the planner's JSON files: the same value gives the same bytes, one entry per line.

One entry per line keeps diffs readable and lets version control merge changes of different hosts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from .problems import PlanFilesError, Problem

_ENCODER = json.JSONEncoder(ensure_ascii=True, allow_nan=False)  # json.dumps would make one for every line


def dump_json(document: Mapping[str, object]) -> str:
    """JSON with the keys in the order given; objects and lists at the top level have one line per entry."""
    lines = []
    for key, value in document.items():
        if isinstance(value, Mapping) and value:
            entries = [f"    {_line(name)}: {_line(entry)}" for name, entry in value.items()]
            text = "{\n" + ",\n".join(entries) + "\n  }"
        elif isinstance(value, (list, tuple)) and value:
            text = "[\n" + ",\n".join(f"    {_line(entry)}" for entry in value) + "\n  ]"
        else:
            text = _line(value)
        lines.append(f"  {_line(key)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def load_json(raw: bytes, path: str) -> dict[str, object]:
    """The object in a file's bytes. Raises PlanFilesError that names the file and the line."""
    try:
        document = json.loads(raw.decode("utf-8"), object_pairs_hook=_object_without_repeats)
    except UnicodeDecodeError:
        raise PlanFilesError(Problem("the file is not UTF-8 text", path=path)) from None
    except json.JSONDecodeError as error:
        hint = "the file holds a merge conflict" if b"<<<<<<<" in raw else "restore it from version control"
        where = f"{path}:{error.lineno}"
        raise PlanFilesError(Problem(f"the file is not JSON ({error.msg})", path=where, hint=hint)) from None
    except RecursionError:
        raise PlanFilesError(Problem("the file is nested too deeply", path=path)) from None
    except ValueError as error:
        raise PlanFilesError(Problem(str(error), path=path, hint="restore it from version control")) from None
    if not isinstance(document, dict):
        raise PlanFilesError(Problem("the file holds no JSON object", path=path))
    return document


def _line(value: object) -> str:
    return _ENCODER.encode(value)


def _object_without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for key, _value in pairs:
            if key in seen:
                raise ValueError(f"the key {key!r} stands twice in one object")
            seen.add(key)
    return made
