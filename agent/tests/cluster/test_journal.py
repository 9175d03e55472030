# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import base64
import json
import pickle
import zlib
from pathlib import Path

import pytest
from support.hostile import HOSTILE, Marker, hostile_pickles
from support.hubs import Hubs, key_of, wait_for
from wirefleet_agent.cluster import journal as journal_module
from wirefleet_agent.cluster import restricted_pickle
from wirefleet_agent.cluster.journal import HEADER, DurableJournal, JournalDamaged, read_journal
from wirefleet_agent.cluster.snapshot import NAME, decode_snapshot, stored_view, write_snapshot
from wirefleet_agent.cluster.state import ClusterState, ClusterView

ENTRIES = [(b"\1", 1, 0), (b"\1", 2, 1), (b"\0first", 3, 1), (b"\0second", 4, 2)]


def written(directory: Path, commit: int = 2) -> DurableJournal:
    journal = DurableJournal(directory)
    for entry in ENTRIES:
        journal.add(*entry)
    journal.setCurrentTerm(2, "somebody")
    journal.setRaftCommitIndex(commit)
    journal.settle()
    return journal


def drain(hub: str, identity: str = "1") -> dict[str, object]:
    return {"op": "drain", "hub": hub, "members": [hub, str(key_of(2))], "id": identity}


def command(change: object) -> bytes:
    return b"\0" + restricted_pickle.dumps((0, (change,)))


def test_what_was_written_is_read_again(tmp_path):
    written(tmp_path)._destroy()

    again = DurableJournal(tmp_path)

    assert again[:] == ENTRIES
    assert (again.getCurrentTerm(), again.getVotedForNodeId(), again.getRaftCommitIndex()) == (2, "somebody", 2)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_term_and_vote_are_on_the_disk_before_anybody_is_told(tmp_path):
    journal = DurableJournal(tmp_path)

    journal.setCurrentTerm(9, "me")

    assert read_journal(tmp_path)[1] == {"term": 9, "vote": "me", "commit": 1}


def test_entries_that_are_taken_back_are_gone_and_others_follow(tmp_path):
    journal = written(tmp_path)

    journal.deleteEntriesFrom(2)
    journal.add(b"\0other", 3, 3)
    journal.sync()

    assert read_journal(tmp_path)[0] == [*ENTRIES[:2], (b"\0other", 3, 3)]


def test_compaction_keeps_the_end(tmp_path):
    journal = written(tmp_path)

    journal.deleteEntriesTo(2)
    journal.add(b"\0third", 5, 2)
    journal.sync()

    assert read_journal(tmp_path)[0] == [*ENTRIES[2:], (b"\0third", 5, 2)]


def test_a_cleared_log_is_the_old_one_until_its_new_beginning_is_whole(tmp_path):
    journal = written(tmp_path)

    journal.clear()
    journal.add(b"\1", 8, 3)
    assert read_journal(tmp_path)[0] == ENTRIES
    journal.add(b"\1", 9, 3)
    journal.deleteEntriesFrom(2)
    journal.sync()

    assert read_journal(tmp_path)[0] == [(b"\1", 8, 3), (b"\1", 9, 3)]


@pytest.mark.parametrize("lost", range(1, 60, 7))
def test_an_end_that_was_half_written_is_cut_off(tmp_path, lost):
    written(tmp_path, commit=2)._destroy()
    log = tmp_path / "log"
    log.write_bytes(log.read_bytes()[:-lost])

    entries = DurableJournal(tmp_path)[:]

    assert entries == ENTRIES[: len(entries)]
    assert 2 <= len(entries) < 4
    assert read_journal(tmp_path)[0] == entries  # and it is not built upon


def test_a_log_that_lost_what_was_decided_is_damaged(tmp_path):
    written(tmp_path, commit=4)._destroy()
    log = tmp_path / "log"
    log.write_bytes(log.read_bytes()[:-1])

    with pytest.raises(JournalDamaged, match="ends before entry 4"):
        DurableJournal(tmp_path)


def test_every_flipped_bit_is_found_or_harmless(tmp_path):
    """Harmless: in what follows the last entry that was decided."""
    written(tmp_path, commit=4)._destroy()
    for name in ("log", "meta"):
        path = tmp_path / name
        good = path.read_bytes()
        for position in range(len(good)):
            path.write_bytes(good[:position] + bytes([good[position] ^ 4]) + good[position + 1 :])
            with pytest.raises(JournalDamaged):
                read_journal(tmp_path)
        path.write_bytes(good)
    assert read_journal(tmp_path)[0] == ENTRIES


@pytest.mark.parametrize("content", [b"", b"x", b"PYSYNCOBJ" + bytes(100), pickle.dumps({}), HEADER[:-1]])
def test_a_file_that_is_no_log_of_ours_is_damaged(tmp_path, content):
    written(tmp_path)._destroy()
    (tmp_path / "log").write_bytes(content)

    with pytest.raises(JournalDamaged):
        read_journal(tmp_path)


def test_a_log_without_its_term_and_vote_is_damaged(tmp_path):
    written(tmp_path)._destroy()
    (tmp_path / "meta").unlink()

    with pytest.raises(JournalDamaged, match="term and vote"):
        DurableJournal(tmp_path)


def test_sync_waits_for_the_disk_only_if_something_was_added(tmp_path, monkeypatch):
    journal = written(tmp_path)
    synced: list[int] = []
    monkeypatch.setattr(journal_module.os, "fsync", synced.append)

    journal.sync()
    assert synced == []
    journal.add(b"\0x", 5, 2)
    journal.sync()
    journal.sync()
    assert len(synced) == 1


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pickle_in_the_log_of_a_hub_that_starts_is_refused(tmp_path, name):
    """Whoever writes there with the right sums is root; still nothing of it runs."""
    hubs, marker = Hubs(tmp_path, size=1), Marker(tmp_path)
    hub = hubs[0]
    journal = DurableJournal(hub.settings.directory)
    journal.add(b"\1", 1, 0)
    journal.add(b"\0" + hostile_pickles(marker)[name], 2, 1)
    journal.setRaftCommitIndex(2)
    journal.setCurrentTerm(1, None)
    journal.settle()
    journal._destroy()

    try:
        hub.start()
        wait_for(lambda: hub.turn() or hub.problems)
    finally:
        hubs.stop()

    assert "UnpicklingRefused" in hub.problems[0]
    assert not marker.was_touched
    assert stored_view(hub.settings.directory) == ClusterView()


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("file", [NAME, "meta", "log"])
def test_a_hostile_pickle_in_the_place_of_a_file_is_refused(tmp_path, name, file):
    hubs, marker = Hubs(tmp_path, size=1), Marker(tmp_path)
    hub = hubs[0]
    written(hub.settings.directory)._destroy()
    (hub.settings.directory / file).write_bytes(hostile_pickles(marker)[name])

    with pytest.raises(JournalDamaged):
        stored_view(hub.settings.directory)
    try:
        hub._runner = None
        with pytest.raises(JournalDamaged):
            hub.start()
    finally:
        hubs.stop()

    assert not marker.was_touched


def test_what_was_decided_is_known_from_the_files_alone(tmp_path):
    hub = str(key_of(1))
    journal = DurableJournal(tmp_path)
    for entry in ((b"\1", 1, 0), (b"\1", 2, 1), (command(drain(hub)), 3, 1)):
        journal.add(*entry)
    journal.settle()

    assert stored_view(tmp_path).drains == frozenset()  # written, and not decided
    journal.setRaftCommitIndex(3)
    journal.settle()
    assert stored_view(tmp_path).drains == {hub}

    state = ClusterState()
    state.apply(drain(hub))
    write_snapshot(tmp_path / NAME, state, *journal[2:0:-1])
    journal.deleteEntriesTo(1)
    assert stored_view(tmp_path).drains == {hub}


def test_a_log_whose_snapshot_is_missing_is_damaged(tmp_path):
    journal = written(tmp_path)
    journal.deleteEntriesTo(2)

    with pytest.raises(JournalDamaged, match="snapshot"):
        stored_view(tmp_path)


def test_a_crash_between_snapshot_and_compaction_loses_nothing_that_followed(tmp_path):
    """PySyncObj would throw the log away, as it does not begin with the snapshot's two entries."""
    journal = written(tmp_path)

    journal.begin_at(ENTRIES[1], ENTRIES[2])

    assert journal[:] == ENTRIES[1:]
    journal.begin_at((b"\1", 2, 9), ENTRIES[2])  # of another history: left to PySyncObj, which is right then
    assert journal[:] == ENTRIES[1:]
    assert journal.has(3, 1)
    assert not journal.has(3, 2)
    assert not journal.has(1, 0)
    assert not journal.has(5, 2)


def snapshot_document() -> dict[str, object]:
    entries = [[base64.b64encode(b"\1").decode(), index, 1] for index in (3, 2)]
    return {"schema": 1, "state": ClusterState().as_json(), "entries": entries}


def test_the_good_snapshot_of_the_tests_below_is_good():
    assert decode_snapshot(json.dumps(snapshot_document()).encode())[1] == (b"\1", 3, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"state": None},
        {"state": {"epoch": -1}},
        {"state": ClusterState().as_json() | {"drains": ["x"]}},
        {"state": ClusterState().as_json() | {"overrides": {"x": "y"}}},
        {"state": ClusterState().as_json() | {"answers": [1]}},
        {"state": ClusterState().as_json() | {"revoked": [{"public_key": str(key_of(1))}]}},
        {"entries": []},
        {"entries": [1, 2]},
        {"entries": [["AQ==", 3, 1], ["AQ==", 3, 1]]},
        {"entries": [["!", 3, 1], ["AQ==", 2, 1]]},
        {"entries": [["AQ==", "3", 1], ["AQ==", 2, 1]]},
    ],
    ids=lambda change: json.dumps(change)[:60],
)
def test_a_snapshot_with_anything_wrong_is_damaged(change):
    with pytest.raises(JournalDamaged):
        decode_snapshot(json.dumps(snapshot_document() | change).encode())


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b"\xff", zlib.compress(b"{}"), b"[" * 100_000])
def test_bytes_that_are_no_snapshot_are_damaged(raw):
    with pytest.raises(JournalDamaged):
        decode_snapshot(raw)
