# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The cluster's one thread, and the door between it and the loop.

PySyncObj could be ticked from the loop, but the log has to be on the disk before it is acknowledged, and a disk may
take seconds. So a thread owns the replica, and nobody else touches it. Through the door go, from the loop: proposals
(a locked list, and a byte that wakes the thread); to the loop: views, states and outcomes, each an immutable value or
a finished dictionary handed to ``post``, which calls on the loop's own thread. The loop never waits for the thread,
also not at the end: a thread that hangs on its disk is left behind, and its successor in the same process waits for it.

A proposal is tried again until its deadline, under the same id, so that it counts once; what became of it is one of:
the cluster's answer; ``no_quorum``, and nothing was or will be changed; ``no_quorum``, and it is not known.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from ..errors import NoQuorumError, RefusedError, UnreachableError, WireFleetError
from ..keys import ClusterKey
from .journal import JournalDamaged
from .replica import OUTCOME_UNKNOWN, ClusterSettings, Replica, ReplicaStatus, Role
from .state import ClusterView, Json

_TICK_S = 0.05
_HUNG_S = 2.0
_RETRY_S = 0.2
_KEPT_OUTCOMES = 256
_QUORUM_HINT = "more than half of the hubs must reach each other over the overlay: wirefleet-agent cluster status"

Post = Callable[[Callable[[], None]], None]


@dataclass(frozen=True)
class ClusterReport:
    """What the thread last said. status: None until it runs. problem: why it does not take part, or None."""

    status: ReplicaStatus | None = None
    problem: str | None = None
    strangers: int = 0
    not_authentic: int = 0
    malformed: int = 0
    refused_pickles: int = 0


@dataclass
class _Proposal:
    command: Json
    deadline: float
    try_at: float = 0.0
    is_under_way: bool = False
    may_be_made: bool = False


class ClusterRunner:
    """Started once, stopped once. All callbacks are called on the loop's thread."""

    def __init__(
        self,
        settings: ClusterSettings,
        key: ClusterKey,
        post: Post,
        on_change: Callable[[], None],
        *,
        view: ClusterView | None = None,
        after: ClusterRunner | None = None,
        on_role: Callable[[int, Role], None] | None = None,
        on_problem: Callable[[str], None] | None = None,
    ) -> None:
        self.settings = settings
        self.view = view or ClusterView()
        self._report = ClusterReport()
        self._key = key
        self._post = post
        self._on_change = on_change
        self._on_role = on_role
        self._on_problem = on_problem
        self._after = after
        self._lock = threading.Lock()
        self._new: list[_Proposal] = []
        self._outcomes: OrderedDict[str, Json | WireFleetError | None] = OrderedDict()
        self._is_stopping = threading.Event()
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="wirefleet-cluster", daemon=True)
        # The thread's own
        self._proposals: dict[str, _Proposal] = {}
        self._leader_seen = time.monotonic()
        self._is_writable = False
        self._applied = 0
        self._finished: list[tuple[str, Json | WireFleetError]] = []
        self._published: tuple[int, ClusterReport] = (-1, self._report)
        self._turned = time.monotonic()  # written by the thread alone; to read it needs no lock

    # From the loop's thread

    def start(self) -> None:
        self._thread.start()

    @property
    def report(self) -> ClusterReport:
        """What the thread last said; without a status while it hangs."""
        hung_s = time.monotonic() - self._turned
        if hung_s <= _HUNG_S or self._report.status is None:
            return self._report
        problem = f"nothing has moved for {hung_s:.0f} s: does the disk hang? ({self.settings.directory})"
        return replace(self._report, status=None, problem=problem)

    def stop(self, *, wait_s: float = 0.0) -> bool:
        """Ask the thread to end; whether it has, after at most ``wait_s``. Idempotent."""
        self._is_stopping.set()
        self._wake()
        if self._thread.is_alive() and wait_s > 0:
            self._thread.join(wait_s)
        return not self._thread.is_alive()

    def propose(self, command: Json) -> str:
        """Ask for a change; a ticket for ``outcome``. command: as in ``state``, without ``id``. Returns at once."""
        ticket = secrets.token_hex(16)
        self._outcomes[ticket] = None
        while len(self._outcomes) > _KEPT_OUTCOMES:
            self._outcomes.popitem(last=False)
        with self._lock:
            self._new.append(_Proposal(command | {"id": ticket}, time.monotonic() + self.settings.timing.proposal_s))
        self._wake()
        return ticket

    def outcome(self, ticket: str) -> Json | None:
        """``{"changed": bool}``; None while it is not known. Raises RefusedError, NoQuorumError, UnreachableError."""
        if ticket not in self._outcomes:
            raise UnreachableError("this proposal is not known", hint="the daemon was restarted? ask again")
        found = self._outcomes[ticket]
        if isinstance(found, WireFleetError):
            raise found
        return found

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # a full buffer: it will wake; closed: nobody is there
            self._writer.send(b"\0")

    def _settle(self, ticket: str, outcome: Json | WireFleetError) -> None:
        if ticket in self._outcomes:
            self._outcomes[ticket] = outcome

    def _take(self, view: ClusterView, report: ClusterReport) -> None:
        self.view, self._report = view, report
        if not self._is_stopping.is_set():
            self._on_change()

    def _keep(self, report: ClusterReport) -> None:
        self._take(self.view, report)

    # The thread's own

    def _run(self) -> None:
        if self._after is not None:
            self._after._thread.join()
            self._after = None
        try:
            while not self._is_stopping.is_set():
                self._run_replica()
        finally:
            self._reader.close()
            self._writer.close()

    def _run_replica(self) -> None:
        """Until it is told to stop or the disk fails; then wait, and let the caller try again."""
        replica = None
        try:
            replica = Replica(self.settings, self._key, on_role=self._role_changed)
            replica.watch(self._reader.fileno(), self._drain)
            self._applied = 0
            while not self._is_stopping.is_set():
                self._turn(replica)
        except (JournalDamaged, OSError) as error:
            what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self._fail(f"{what} ({self.settings.directory})")
        except Exception as error:  # noqa: BLE001  # a mistake of ours or of PySyncObj: the tunnel goes on without it
            self._fail(f"a mistake of ours: {type(error).__name__}: {error}"[:300])
        finally:
            if replica is not None:
                replica.close()

    def _turn(self, replica: Replica) -> None:
        self._begin_proposals(replica)
        replica.tick(_TICK_S)
        status = replica.status()
        now = self._turned = time.monotonic()
        self._is_writable = status.is_writable
        if status.is_writable:
            self._leader_seen = now
        self._give_up(now)
        counters = replica.counters
        report = ClusterReport(
            status,
            None,
            counters.strangers,
            counters.not_authentic,
            counters.malformed,
            counters.refused_pickles,
        )
        # With a snapshot the state may be an older one for a moment, until what follows it is applied again.
        is_behind, self._applied = status.applied_index < self._applied, max(self._applied, status.applied_index)
        if not is_behind and (replica.state.version, report) != self._published:
            self._published = replica.state.version, report
            self._post(partial(self._take, replica.state.view(), report))
        self._tell_finished()

    def _begin_proposals(self, replica: Replica) -> None:
        with self._lock:
            new, self._new = self._new, []
        self._proposals |= {str(proposal.command["id"]): proposal for proposal in new}
        if not self._is_writable:  # PySyncObj would send it to a leader that is gone, and never say so
            return
        now = time.monotonic()
        for ticket, proposal in self._proposals.items():
            if not proposal.is_under_way and now >= proposal.try_at:
                proposal.is_under_way = True
                replica.propose(proposal.command, partial(self._answered, ticket))

    def _answered(self, ticket: str, answer: Json | None, reason: int) -> None:
        proposal = self._proposals.get(ticket)
        if proposal is None:
            return
        if answer is None or reason:
            proposal.is_under_way = False
            proposal.may_be_made = proposal.may_be_made or reason in OUTCOME_UNKNOWN
            proposal.try_at = time.monotonic() + _RETRY_S
            return
        if "refused" in answer:
            hint = answer.get("hint")
            self._finish(ticket, RefusedError(str(answer["refused"]), hint=None if hint is None else str(hint)))
        else:
            self._finish(ticket, {"changed": bool(answer["changed"])})

    def _give_up(self, now: float) -> None:
        is_hopeless = now - self._leader_seen > self.settings.timing.leaderless_s
        for ticket, proposal in list(self._proposals.items()):
            if now >= proposal.deadline or (is_hopeless and not proposal.is_under_way):
                may_be_made = proposal.may_be_made or proposal.is_under_way
                self._finish(ticket, _no_quorum(may_be_made=may_be_made))

    def _role_changed(self, term: int, role: Role) -> None:
        if self._on_role is not None:
            self._post(partial(self._on_role, term, role))

    def _finish(self, ticket: str, outcome: Json | WireFleetError) -> None:
        """Told after the view: whoever hears that a change was made can read it."""
        del self._proposals[ticket]
        self._finished.append((ticket, outcome))

    def _tell_finished(self) -> None:
        finished, self._finished = self._finished, []
        for ticket, outcome in finished:
            self._post(partial(self._settle, ticket, outcome))

    def _fail(self, problem: str) -> None:
        """Say so, refuse what is asked meanwhile, and wait a little."""
        report = replace(self._published[1], status=None, problem=problem)
        self._published = -1, report
        if self._on_problem is not None:
            self._post(partial(self._on_problem, problem))
        self._post(partial(self._keep, report))
        limit = time.monotonic() + self.settings.timing.reopen_s
        while not self._is_stopping.is_set() and (left_s := limit - time.monotonic()) > 0:
            with self._lock:
                new, self._new = self._new, []
            for proposal in (*self._proposals.values(), *new):
                ticket = str(proposal.command["id"])
                self._proposals[ticket] = proposal
                self._finish(ticket, _no_quorum(may_be_made=proposal.is_under_way or proposal.may_be_made))
            self._tell_finished()
            self._is_stopping.wait(min(left_s, _TICK_S))

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._reader.recv(4096):
                pass


def _no_quorum(*, may_be_made: bool) -> NoQuorumError:
    if may_be_made:
        return NoQuorumError(
            "the hubs did not confirm the change in time: it is not known whether it will be made", hint=_QUORUM_HINT
        )
    return NoQuorumError("too few hubs reach each other: nothing was changed", hint=_QUORUM_HINT)
