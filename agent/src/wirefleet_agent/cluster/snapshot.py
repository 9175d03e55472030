# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The state as one JSON file, in place of the log up to it; and the state as a hub's files tell it.

PySyncObj would pickle the state and its nodes. It also sends this file to hubs that are far behind, and writes what it
gets from others: both are read by ``read_snapshot`` only.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import os
from pathlib import Path

from .journal import Entry, JournalDamaged, OpenNew, open_private, read_journal, replace_file, sync_directory
from .messages import REGULAR, command_of
from .state import ClusterState, ClusterView

NAME = "snapshot"
MAX_BYTES = 32 * 1024 * 1024
_SCHEMA = 1


def write_snapshot(
    path: Path, state: ClusterState, last: Entry, previous: Entry, open_new: OpenNew = open_private
) -> None:
    """last: the entry that was applied last; PySyncObj keeps it and the one before in the log. Raises OSError."""
    document = {"schema": _SCHEMA, "state": state.as_json(), "entries": [_encoded(last), _encoded(previous)]}
    replace_file(path, json.dumps(document, separators=(",", ":")).encode(), open_new)


def read_snapshot(path: Path) -> tuple[dict[str, object], Entry, Entry]:
    """The state's document, the last entry and the one before. Raises JournalDamaged, FileNotFoundError, OSError."""
    with path.open("r+b") as file:
        raw = file.read(MAX_BYTES + 1)
        os.fsync(file.fileno())  # another hub's came without one
    with contextlib.suppress(OSError):
        path.chmod(0o600)
    sync_directory(path.parent)
    return decode_snapshot(raw)


def decode_snapshot(raw: bytes) -> tuple[dict[str, object], Entry, Entry]:
    """See ``read_snapshot``."""
    try:
        document = json.loads(raw) if len(raw) <= MAX_BYTES else {}
        if document.get("schema") != _SCHEMA:
            raise JournalDamaged("the snapshot is of another version, or too long")
        ClusterState().replace(document["state"])
        last, previous = (_decoded(each) for each in document["entries"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise JournalDamaged("the snapshot is damaged") from error
    if previous[1] + 1 != last[1]:
        raise JournalDamaged("the snapshot's two entries do not follow each other")
    return document["state"], last, previous


def stored_view(directory: Path) -> ClusterView:
    """What was decided as far as this hub's files say it, without taking part: before the first packet moves.

    Raises JournalDamaged, OSError.
    """
    entries, meta = read_journal(directory)
    state, applied = ClusterState(), 1
    with contextlib.suppress(FileNotFoundError):
        document, last, _previous = read_snapshot(directory / NAME)
        state.replace(document)
        applied = last[1]
    if entries and entries[0][1] > applied:
        raise JournalDamaged("the snapshot that the log begins with is missing")
    commit = meta.get("commit", 1)
    assert isinstance(commit, int)
    for command, index, _term in entries:
        if applied < index <= commit and command[:1] == REGULAR:
            state.apply(command_of(command))
    return state.view()


def _encoded(entry: Entry) -> list[object]:
    return [base64.b64encode(entry[0]).decode("ascii"), entry[1], entry[2]]


def _decoded(found: object) -> Entry:
    if not isinstance(found, list) or len(found) != 3:
        raise ValueError("an entry has a command, an index and a term")
    text, index, term = found
    if not isinstance(index, int) or not isinstance(term, int) or index < 1 or term < 0:
        raise ValueError("an entry without index or term")
    return base64.b64decode(str(text), validate=True), index, term
