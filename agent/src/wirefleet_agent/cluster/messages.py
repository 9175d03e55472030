# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What another hub may say to PySyncObj, checked before PySyncObj sees it: the fields of each kind, and their types.

PySyncObj takes any dictionary and looks up what it expects; a message without it would be an exception somewhere in the
middle. Kinds that we do not use are refused: a leader that orders an election, changes of membership or of version.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

from . import restricted_pickle

MAX_INDEX = 2**63
MAX_COMMAND_BYTES = 64 * 1024
REGULAR, NO_OP = b"\0", b"\1"
"""PySyncObj's first byte of a command of ours, and of the empty one of a new leader."""
Check = Callable[[object], bool]


def checked_message(found: object) -> dict[str, object] | None:
    """The message with the fields that its kind has and no others; None if it is not one."""
    if not isinstance(found, dict) or not isinstance(found.get("type"), str):
        return None
    for required, optional in _KINDS.get(found["type"], ()):
        fields = found.keys() - {"type"}
        if required.keys() <= fields <= required.keys() | optional.keys():
            checks = {**required, **optional}
            if all(checks[name](found[name]) for name in fields) and _begins_right(found):
                return found
    return None


def _begins_right(message: dict[str, object]) -> bool:
    """The first entry is the next after the one that both sides are to have."""
    entries, previous = message.get("entries"), message.get("prevLogIdx")
    return not entries or not isinstance(entries, list) or previous is None or entries[0][1] == int(str(previous)) + 1


def command_of(entry: bytes) -> object:
    """The command in a log entry: what PySyncObj made of ``Replica.change``. None if it is not one."""
    try:
        found = restricted_pickle.loads(entry[1:])
    except restricted_pickle.UnpicklingRefused:
        return None
    is_change = isinstance(found, tuple) and len(found) == 2 and found[0] == 0 and type(found[0]) is int
    if not is_change or not isinstance(found, tuple) or not isinstance(found[1], tuple) or len(found[1]) != 1:
        return None
    command: object = found[1][0]
    return command


def _is_index(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_INDEX


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _is_command(value: object) -> bool:
    """What cannot be unpickled must not get into the log: PySyncObj would never get past it."""
    if not isinstance(value, bytes) or len(value) > MAX_COMMAND_BYTES:
        return False
    return value == NO_OP or (value[:1] == REGULAR and isinstance(command_of(value), dict))


def _is_entry(value: object) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) == 3
        and _is_command(value[0])
        and _is_index(value[1])
        and _is_index(value[2])
    )


def _are_entries(value: object) -> bool:
    """Each follows the one before: a gap would put every later one into the wrong place."""
    if not isinstance(value, list) or not all(_is_entry(entry) for entry in value):
        return False
    return all(later[1] == earlier[1] + 1 for earlier, later in itertools.pairwise(value))


def _is_piece(value: object) -> bool:
    """Of a snapshot: (bytes, is first, is last); None where the sender has none at the moment."""
    if value is None:
        return True
    return (
        isinstance(value, tuple)
        and len(value) == 3
        and isinstance(value[0], bytes)
        and _is_bool(value[1])
        and _is_bool(value[2])
    )


def _is_optional_index(value: object) -> bool:
    return value is None or _is_index(value)


_LEADERS: Mapping[str, Check] = {"term": _is_index, "commit_index": _is_index}
_KINDS: Mapping[str, tuple[tuple[Mapping[str, Check], Mapping[str, Check]], ...]] = {
    "ping": (({}, {}),),
    "request_vote": (({"term": _is_index, "last_log_index": _is_index, "last_log_term": _is_index}, {}),),
    "response_vote": (({"term": _is_index}, {}),),
    "append_entries": (
        (
            {
                **_LEADERS,
                "entries": _are_entries,
                "prevLogIdx": _is_optional_index,
                "prevLogTerm": _is_optional_index,
            },
            {},
        ),
        ({**_LEADERS, "serialized": _is_piece}, {}),
    ),
    "next_node_idx": (({"term": _is_index, "next_node_idx": _is_index, "reset": _is_bool, "success": _is_bool}, {}),),
    "apply_command": (({"command": _is_command}, {"request_id": _is_index}),),
    "apply_command_response": (
        ({"request_id": _is_index, "log_idx": _is_index, "log_term": _is_index}, {}),
        ({"request_id": _is_index, "error": _is_index}, {}),
    ),
}
