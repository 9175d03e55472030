# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The Raft log, term and vote on disk, so that nothing that was acknowledged is lost with the power.

PySyncObj's own journal writes into a memory map and never asks the system to put it on the disk, and so it is not used:
a power cut on two hubs could lose a committed change; and a page fault on a hung disk would stop every thread of the
process. Here ``add`` appends with plain writes, and ``sync`` must be called before anything is sent that tells another
hub about it (``transport`` does). Term and vote are on the disk when ``set_current_term`` returns. All this runs in
the cluster's own thread: system calls let the others run meanwhile.

``log``: a header, then records of (length, CRC-32, index, term, command). ``meta``: one JSON object with its CRC-32.
Both are written anew when they are opened and when the log is compacted: a record that was half written, or whose
fsync failed, is not built upon.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from pysyncobj.journal import Journal  # type: ignore[import-untyped]

HEADER = b"WireFleet cluster log 1\n"
MAX_COMMAND_BYTES = 1024 * 1024
_RECORD = struct.Struct("<IIQQ")
Entry = tuple[bytes, int, int]  # command, index, term
OpenNew = Callable[[Path], int]  # a descriptor to write a file that did not exist, private from its first moment


def open_private(path: Path) -> int:
    """An OpenNew where a mode says who may read."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    return os.open(path, flags, 0o600)


class JournalDamaged(Exception):
    """What is on the disk cannot be what this hub has promised to others: it must not take part with it."""


class DurableJournal(Journal):  # type: ignore[misc]  # PySyncObj has no types
    """See PySyncObj's Journal for the methods in its spelling. directory: private, and ours alone.

    Raises JournalDamaged, OSError; after an OSError it must not be used any more.
    """

    def __init__(self, directory: Path, open_new: OpenNew = open_private) -> None:
        self._directory = directory
        self._open_new = open_new
        self._entries, self._meta = read_journal(directory)
        self._is_meta_dirty = self._is_dirty = self._is_cleared = False
        self._descriptor = -1
        if not self._meta:
            self._meta = {"term": 0, "vote": None, "commit": 1}
        self._store_meta()
        self._rewrite()

    # What PySyncObj calls

    def add(self, command: bytes, idx: int, term: int) -> None:
        if len(command) > MAX_COMMAND_BYTES:
            raise ValueError("a command that is too long")
        self._entries.append((bytes(command), idx, term))
        if not self._is_cleared:
            record = _encode(self._entries[-1])
            _write_all(self._descriptor, record)
            self._ends.append(self._ends[-1] + len(record))
        self._is_dirty = True

    def clear(self) -> None:
        """Two entries of a snapshot follow: all of it is one step in ``sync``, and the old log stays until then."""
        self._entries.clear()
        self._is_cleared = self._is_dirty = True

    def deleteEntriesFrom(self, entryFrom: int) -> None:
        del self._entries[entryFrom:]
        self._is_dirty = True
        if self._is_cleared:
            return
        del self._ends[entryFrom + 1 :]
        os.ftruncate(self._descriptor, self._ends[-1])
        os.lseek(self._descriptor, self._ends[-1], os.SEEK_SET)

    def deleteEntriesTo(self, entryTo: int) -> None:
        """Compaction. The snapshot that takes their place was renamed just now: that must be on the disk first."""
        sync_directory(self._directory)
        del self._entries[:entryTo]
        self._rewrite()

    def __getitem__(self, item: int | slice) -> object:
        return self._entries[item]

    def __len__(self) -> int:
        return len(self._entries)

    def _destroy(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def setRaftCommitIndex(self, raftCommitIndex: int) -> None:
        """Raft can do without: it finds out again. Stored, it tells what was decided before the hubs have met."""
        if self._meta["commit"] != raftCommitIndex:
            self._meta["commit"] = raftCommitIndex
            self._is_meta_dirty = True

    def getRaftCommitIndex(self) -> int:
        return int(str(self._meta["commit"]))

    def setCurrentTerm(self, term: int, votedForNodeId: str | None) -> None:
        self._meta |= {"term": term, "vote": votedForNodeId}
        self._store_meta()

    def getCurrentTerm(self) -> int:
        return int(str(self._meta["term"]))

    def getVotedForNodeId(self) -> str | None:
        vote = self._meta["vote"]
        return None if vote is None else str(vote)

    # What our replica and transport, and the end of each tick, call

    def begin_at(self, previous: Entry, last: Entry) -> None:
        """Compact up to a snapshot that was written before this process began.

        PySyncObj would throw the whole log away, with all that was decided since, unless it begins with exactly these.
        """
        place = next((at for at, entry in enumerate(self._entries) if entry[1] == previous[1]), None)
        if place is not None and self._entries[place : place + 2] == [previous, last]:
            self.deleteEntriesTo(place)

    def has(self, index: int, term: int) -> bool:
        """Whether the entry of this index is of this term: then all before it are those of whoever has it too."""
        at = index - self._entries[0][1] if self._entries else -1
        return 0 <= at < len(self._entries) and self._entries[at][2] == term

    def settle(self) -> None:
        """All that is known is on the disk; the index of what was decided never before what was decided."""
        self.sync()
        if self._is_meta_dirty:
            self._store_meta()

    def sync(self) -> None:
        """What was added is on the disk. Nothing happens if nothing was."""
        if self._is_cleared:
            self._rewrite()
        elif self._is_dirty:
            os.fsync(self._descriptor)
            self._is_dirty = False

    def _rewrite(self) -> None:
        self._destroy()
        path = self._directory / "log"
        records = [_encode(entry) for entry in self._entries]
        replace_file(path, HEADER + b"".join(records), self._open_new)
        self._ends = [len(HEADER)]
        for record in records:
            self._ends.append(self._ends[-1] + len(record))
        self._descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
        os.lseek(self._descriptor, 0, os.SEEK_END)
        self._is_dirty = self._is_cleared = False

    def _store_meta(self) -> None:
        replace_file(self._directory / "meta", _with_sum(self._meta), self._open_new)
        self._is_meta_dirty = False


def read_journal(directory: Path) -> tuple[list[Entry], dict[str, object]]:
    """The entries and the term, vote and commit index ({} if this hub never took part). Raises JournalDamaged."""
    log, meta = _read(directory / "log"), _read(directory / "meta")
    entries = list(_decode(log)) if log is not None else []
    if meta is None:
        if entries:
            raise JournalDamaged("the file with term and vote is missing beside the log")
        return entries, {}
    found = _without_sum(meta)
    commit = found.get("commit")
    if not isinstance(commit, int) or not isinstance(found.get("term"), int):
        raise JournalDamaged("the file with term and vote is damaged")
    if commit > 1 and (not entries or entries[-1][1] < commit):
        raise JournalDamaged(f"the log ends before entry {commit}, which was decided")
    return entries, found


def replace_file(path: Path, content: bytes, open_new: OpenNew) -> None:
    """Atomically and durably, private from its first moment. Raises OSError."""
    staged = path.with_name(path.name + ".new")
    staged.unlink(missing_ok=True)  # what a crash left
    descriptor = open_new(staged)
    try:
        _write_all(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(staged, path)  # noqa: PTH105  # beside the other system calls
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make renames in it survive a power cut. NTFS journals them itself."""
    if sys.platform != "win32":
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _encode(entry: Entry) -> bytes:
    command, index, term = entry
    body = struct.pack("<QQ", index, term) + command
    return _RECORD.pack(len(command), zlib.crc32(body), index, term) + command


def _decode(raw: bytes) -> Iterator[Entry]:
    """Up to the first record that is not whole: what follows was never acknowledged, or read_journal will tell."""
    if not raw.startswith(HEADER):
        raise JournalDamaged("this is not a log of ours")
    offset, expected = len(HEADER), None
    while offset + _RECORD.size <= len(raw):
        length, checksum, index, term = _RECORD.unpack_from(raw, offset)
        command = raw[offset + _RECORD.size : offset + _RECORD.size + length]
        if len(command) < length or zlib.crc32(struct.pack("<QQ", index, term) + command) != checksum:
            return
        if expected is not None and index != expected:
            raise JournalDamaged(f"entry {index} stands where {expected} should be")
        yield command, index, term
        expected, offset = index + 1, offset + _RECORD.size + length


def _with_sum(meta: dict[str, object]) -> bytes:
    body = json.dumps(meta, sort_keys=True).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _without_sum(raw: bytes) -> dict[str, object]:
    checksum, _, body = raw.rstrip(b"\n").partition(b" ")
    try:
        if int(checksum, 16) != zlib.crc32(body):
            raise JournalDamaged("the file with term and vote is damaged")
        found = json.loads(body)
    except ValueError as error:
        raise JournalDamaged("the file with term and vote is damaged") from error
    if not isinstance(found, dict):
        raise JournalDamaged("the file with term and vote is damaged")
    return found


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
