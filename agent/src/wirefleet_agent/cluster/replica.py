# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""One hub's part in the cluster: PySyncObj with our state, journal, snapshot, transport and unpickler.

Made, ticked and closed by one thread.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import pysyncobj.syncobj  # type: ignore[import-untyped]
from pysyncobj import SyncObj, SyncObjConf, replicated
from pysyncobj.config import FAIL_REASON  # type: ignore[import-untyped]
from pysyncobj.journal import Journal  # type: ignore[import-untyped]
from pysyncobj.node import Node  # type: ignore[import-untyped]

from ..keys import ClusterKey
from . import restricted_pickle
from .connection import Member, TransportCounters, TransportSettings, fernet_of
from .journal import DurableJournal, Entry, JournalDamaged, OpenNew, open_private
from .snapshot import NAME, decode_snapshot, read_snapshot, write_snapshot
from .state import ClusterState, Json
from .transport import MemberTransport

Role = Literal["follower", "candidate", "leader"]
_ROLES: tuple[Role, ...] = ("follower", "candidate", "leader")

OUTCOME_UNKNOWN = frozenset((FAIL_REASON.LEADER_CHANGED, FAIL_REASON.UNKNOWN_OUTCOME))
"""Of a command that was not applied as far as this hub knows: with these it may be, all the same."""


@dataclass(frozen=True)
class Timing:
    """Seconds. A follower that hears nothing for a random time between the two limits calls an election.

    proposal_s: how long a change is tried; leaderless_s: longer than an election takes, then waiting is of no use.
    reopen_s: after a disk has failed.
    """

    heartbeat_s: float = 0.5
    election_min_s: float = 2.0
    election_max_s: float = 3.0
    fallback_s: float = 2.0
    proposal_s: float = 5.0
    leaderless_s: float = 4.0
    reopen_s: float = 5.0
    compaction_s: float = 300.0
    compaction_entries: int = 5000


@dataclass(frozen=True)
class ClusterSettings:
    """own: this hub. others: the rest of the members. directory: private to this tunnel's cluster.

    open_new: makes private files on this platform.
    """

    own: Member
    others: tuple[Member, ...]
    directory: Path
    timing: Timing = Timing()
    open_new: OpenNew = open_private

    @property
    def member_names(self) -> list[str]:
        return sorted(member.name for member in (self.own, *self.others))


@dataclass(frozen=True)
class ReplicaStatus:
    """leader: a member's name, None while there is none that this hub hears. connected: names of the other members."""

    role: Role
    term: int
    leader: str | None
    has_quorum: bool
    connected: tuple[str, ...]
    commit_index: int
    applied_index: int
    is_listening: bool

    @property
    def is_writable(self) -> bool:
        return self.has_quorum and self.leader is not None


class Replica(SyncObj):  # type: ignore[misc]  # PySyncObj has no types
    """Raises JournalDamaged, OSError when it is made and in ``tick``; after either it must be closed."""

    def __init__(
        self, settings: ClusterSettings, key: ClusterKey, *, on_role: Callable[[int, Role], None] | None = None
    ) -> None:
        restricted_pickle.install()
        self._cluster = ClusterState()
        self._directory = settings.directory
        self._open_new = settings.open_new
        self._failure: Exception | None = None
        self._journal = DurableJournal(settings.directory, settings.open_new)
        self._on_role = on_role
        self.counters = TransportCounters()
        transport = TransportSettings(
            settings.own,
            settings.others,
            fernet_of(key.reveal_bytes()),
            self._journal.sync,
            self._superfluous,
            self.counters,
        )
        try:
            self._begin()
            super().__init__(
                Node(settings.own.name),
                [Node(member.name) for member in settings.others],
                self._configuration(settings.timing),
                transportClass=partial(MemberTransport, transport),
            )
        except BaseException:
            self._journal._destroy()
            raise
        self.addOnTickCallback(self._journal.settle)

    def _begin(self) -> None:
        """Log and snapshot fit together, whatever a crash has interrupted."""
        try:
            _document, last, previous = read_snapshot(self._directory / NAME)
        except FileNotFoundError:
            if len(self._journal) and not self._journal.has(1, 0):
                raise JournalDamaged("the snapshot that the log begins with is missing") from None
        else:
            self._journal.begin_at(previous, last)

    def _superfluous(self, snapshot: bytes) -> int | None:
        """The index of the snapshot's last entry if the log has it; None if it is needed. Raises JournalDamaged."""
        _document, last, _previous = decode_snapshot(snapshot)
        return last[1] if self._journal.has(last[1], last[2]) else None

    @property
    def state(self) -> ClusterState:
        return self._cluster

    def tick(self, wait_s: float) -> None:
        """One round of PySyncObj; waits at most ``wait_s`` for messages."""
        self.doTick(wait_s)
        if self._failure is not None:
            raise self._failure

    def propose(self, command: Json, done: Callable[[Json | None, int], None]) -> None:
        """Ask the cluster for a change. done: called in a tick with the answer of ``ClusterState.apply`` and 0, or
        with None and PySyncObj's reason; perhaps never, when the leader is lost."""
        self.change(command, callback=done)

    @replicated  # type: ignore[untyped-decorator]
    def change(self, command: object) -> Json:
        """Applied in the same order by every hub. Called by PySyncObj only; others call ``propose``."""
        return self._cluster.apply(command)

    def watch(self, fileno: int, callback: Callable[[], None]) -> None:
        """Let a descriptor end the wait of ``tick``."""
        self._poller.subscribe(fileno, lambda _fileno, _events: callback(), 1)

    def status(self) -> ReplicaStatus:
        found = self.getStatus()
        leader, has_quorum = found["leader"], bool(found["has_quorum"])
        is_heard = leader is not None and (leader == self.selfNode or self.isNodeConnected(leader))
        return ReplicaStatus(
            _ROLES[found["state"]],
            self.raftCurrentTerm,
            leader.id if is_heard and has_quorum else None,
            has_quorum,
            tuple(sorted(node.id for node in self.otherNodes if self.isNodeConnected(node))),
            self.raftCommitIndex,
            self.raftLastApplied,
            bool(self._SyncObj__transport.is_listening),
        )

    def close(self) -> None:
        """Idempotent. What is on the disk stays as it is."""
        self.destroy()
        notifier = getattr(self, "_SyncObj__pipeNotifier", None)
        for name in ("_PipeNotifier__pipeR", "_PipeNotifier__pipeW"):  # PySyncObj leaves its pipe open
            descriptor = getattr(notifier, name, None)
            if descriptor is not None:
                setattr(notifier, name, None)
                with contextlib.suppress(OSError):
                    os.close(descriptor)

    def _configuration(self, timing: Timing) -> SyncObjConf:
        """PySyncObj's password stays unset: it is for its own transport, ours has the key."""
        return SyncObjConf(
            autoTick=False,
            appendEntriesPeriod=timing.heartbeat_s,
            raftMinTimeout=timing.election_min_s,
            raftMaxTimeout=timing.election_max_s,
            leaderFallbackTimeout=timing.fallback_s,
            connectionTimeout=max(3.5, timing.election_max_s),
            appendEntriesUseBatch=False,
            commandsWaitLeader=False,
            commandsQueueSize=256,
            dynamicMembershipChange=False,
            journalFile=self._journal,
            fullDumpFile=str(self._directory / NAME),
            useFork=False,
            serializer=self._serialize,
            deserializer=self._deserialize,
            logCompactionMinTime=timing.compaction_s,
            logCompactionMinEntries=timing.compaction_entries,
            onStateChanged=self._role_changed,
        )

    def _role_changed(self, _old: int, new: int) -> None:
        if self._on_role is not None:
            role = _ROLES[new]  # a candidate's is told before it counts its term up
            self._on_role(self.raftCurrentTerm + (role == "candidate"), role)

    def _serialize(self, path: str, data: tuple[Entry, Entry, object]) -> None:
        """PySyncObj takes an exception for a failed attempt, and tries again; a disk that fails must end this."""
        try:
            write_snapshot(Path(path), self._cluster, data[0], data[1], self._open_new)
        except OSError as error:
            self._failure = error
            raise

    def _deserialize(self, path: str) -> tuple[Entry, Entry, tuple[()]]:
        """PySyncObj logs an exception and goes on with an empty state: a snapshot that is none must end this."""
        try:
            document, last, previous = read_snapshot(Path(path))
            self._cluster.replace(document)
        except (JournalDamaged, OSError) as error:
            self._failure = error
            raise
        return last, previous, ()


def _journal_of(found: object) -> object:
    """In the place of PySyncObj's ``createJournal``: a journal that is one already stays what it is."""
    return found if isinstance(found, Journal) else _create_journal(found)


_create_journal = pysyncobj.syncobj.createJournal
pysyncobj.syncobj.createJournal = _journal_of
