# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""Hubs in one process, over real TCP on loopback, with real files."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.hub_operator import Operator, PowerCut, spoke
from support.hubs import KEY, QUICK, Hub, Hubs, Timing, key_of, wait_for
from wirefleet_agent.cluster import journal
from wirefleet_agent.cluster.snapshot import stored_view
from wirefleet_agent.errors import NoQuorumError, RefusedError
from wirefleet_agent.keys import ClusterKey

COMPACTING = replace(QUICK, compaction_entries=8, compaction_s=0.2)


@pytest.fixture
def hubs(tmp_path) -> Iterator[Hubs]:
    hubs = Hubs(tmp_path)
    yield hubs
    hubs.stop()


def others_than(hubs: Hubs, *those: Hub) -> list[Hub]:
    return [hub for hub in hubs if hub not in those]


def assert_one_leader_per_term(hubs: Hubs) -> None:
    assert hubs.leaders_by_term()
    assert all(len(leaders) == 1 for leaders in hubs.leaders_by_term().values()), hubs.leaders_by_term()


def test_whichever_hub_is_asked_all_of_them_know_soon(hubs):
    hubs.start()
    hubs.leader()

    replies = [hub.revoke(10 + number) for number, hub in enumerate(hubs)]

    assert replies == [{"changed": True}] * 3
    expected = {str(key_of(10 + number)) for number in range(3)}
    wait_for(lambda: all(hub.view.revoked.keys() == expected for hub in hubs), 2.0)
    assert_one_leader_per_term(hubs)


def test_with_the_times_of_the_real_cluster_a_change_reaches_all_hubs_within_two_seconds(tmp_path):
    hubs = Hubs(tmp_path, timing=Timing())
    hubs.start()
    with contextlib.closing(contextlib.ExitStack()) as stack:
        stack.callback(hubs.stop)
        leader = hubs.leader(20)
        follower = others_than(hubs, leader)[0]
        began = time.monotonic()

        follower.revoke(9)
        wait_for(lambda: all(str(key_of(9)) in hub.view.revoked for hub in hubs))

        assert time.monotonic() - began < 2.0


def test_what_is_so_already_is_no_change(hubs):
    hubs.start()
    hubs.leader()
    hubs[0].revoke(9)

    assert hubs[1].revoke(9, reason="again") == {"changed": False}
    assert hubs[1].view.revoked[str(key_of(9))].reason == "lost"
    assert hubs[2].change(op="restore", key=str(key_of(9))) == {"changed": True}
    assert hubs[2].change(op="restore", key=str(key_of(9))) == {"changed": False}


def test_a_refusal_of_the_state_reaches_who_asked(hubs):
    hubs.start()
    hubs.leader()
    members = hubs[0].settings.member_names
    for hub in (hubs[0], hubs[1]):
        hub.change(op="drain", hub=hub.name, members=members)

    with pytest.raises(RefusedError, match="last hub") as refused:
        hubs[2].change(op="drain", hub=hubs[2].name, members=members)

    assert refused.value.code == "refused"
    wait_for(lambda: all(hub.view.drains == {hubs[0].name, hubs[1].name} for hub in hubs))


def test_with_one_hub_down_all_works_and_it_learns_what_it_missed(hubs):
    hubs.start()
    down = hubs.leader()
    down.stop()
    left = others_than(hubs, down)

    left[0].revoke(9)
    down.start()

    wait_for(lambda: str(key_of(9)) in down.view.revoked)
    hubs.leader()
    assert_one_leader_per_term(hubs)


def test_with_two_hubs_down_a_change_is_refused_at_once_and_reading_works(hubs):
    hubs.start()
    hubs.leader()
    hubs[0].revoke(9)
    wait_for(lambda: str(key_of(9)) in hubs[2].view.revoked)
    for hub in (hubs[0], hubs[1]):
        hub.stop()
    wait_for(lambda: not hubs[2].is_writable)

    with pytest.raises(NoQuorumError, match="nothing was changed") as refused:
        hubs[2].revoke(10)

    assert refused.value.code == "no_quorum"
    assert refused.value.exit_code == 5
    assert hubs[2].view.revoked.keys() == {str(key_of(9))}
    hubs[0].start()
    hubs[1].start()
    hubs.leader()
    time.sleep(0.5)
    assert all(hub.view.revoked.keys() == {str(key_of(9))} for hub in hubs)  # what was refused was not kept for later


def test_a_leader_that_is_cut_off_does_not_say_that_a_change_was_made(hubs):
    hubs.start()
    leader = hubs.leader()
    for hub in others_than(hubs, leader):
        hub.stop()

    with pytest.raises(NoQuorumError):
        leader.revoke(9)

    assert leader.view.revoked == {}


def test_a_hub_with_another_key_takes_no_part(hubs):
    hubs[0].start()
    hubs[1].start()
    hubs[2].start(ClusterKey(bytes(reversed(range(32)))))

    wait_for(lambda: hubs[0].is_writable and hubs[1].is_writable)
    hubs[0].revoke(9)

    wait_for(lambda: hubs[0].turn() or hubs[0].runner.report.not_authentic + hubs[2].runner.report.not_authentic)
    assert hubs[2].view.revoked == {}
    assert not hubs[2].is_writable


def test_the_log_is_compacted_and_a_hub_that_was_away_gets_the_snapshot(tmp_path):
    hubs = Hubs(tmp_path, timing=COMPACTING)
    try:
        hubs.start()
        away = others_than(hubs, hubs.leader())[0]
        away.stop()
        left = others_than(hubs, away)
        for number in range(30):
            left[number % 2].revoke(10 + number)
        wait_for(lambda: all((hub.settings.directory / "snapshot").exists() for hub in left))
        wait_for(lambda: all(journal.read_journal(hub.settings.directory)[0][0][1] > 10 for hub in left))

        away.start()
        wait_for(lambda: len(away.view.revoked) == 30)

        files = [path for hub in hubs for path in hub.settings.directory.iterdir()]
        assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
        hubs.stop()
        assert all(len(stored_view(hub.settings.directory).revoked) == 30 for hub in hubs)
        hubs.start()
        hubs.leader()
        assert all(len(hub.view.revoked) == 30 for hub in hubs)
    finally:
        hubs.stop()


def test_what_a_hub_knew_it_knows_alone_after_a_restart_before_it_hears_others(hubs):
    hubs.start()
    hubs.leader()
    hubs[0].revoke(9)
    wait_for(lambda: all(hub.view.revoked for hub in hubs))
    hubs.stop()

    assert all(stored_view(hub.settings.directory).revoked.keys() == {str(key_of(9))} for hub in hubs)


@pytest.mark.slow
@pytest.mark.timeout(110)
@pytest.mark.parametrize("timing", [COMPACTING], ids=["with compaction"])
def test_twenty_restarts_of_all_hubs_at_once_lose_no_confirmed_change(tmp_path, timing):
    hubs = Hubs(tmp_path, timing=timing)
    hubs.start()
    try:
        with Operator(hubs) as operator:
            for _ in range(20):
                known = len(operator.confirmed)
                hubs.leader(20)
                wait_for(lambda known=known: len(operator.confirmed) > known + 5, 20)
                hubs.stop()
                hubs.start()
            hubs.leader(20)
        wanted = {str(spoke(number)) for number in operator.confirmed}
        wait_for(lambda: all(wanted <= hub.view.overrides.keys() for hub in hubs), 10)
        assert len(operator.confirmed) > 100
        views = [hub.view.overrides for hub in hubs]
        wait_for(lambda: hubs[0].view == hubs[1].view == hubs[2].view)
        assert views
        assert_one_leader_per_term(hubs)
        assert len(hubs.leaders_by_term()) >= 20
    finally:
        hubs.stop()


def test_a_power_cut_at_all_hubs_at_once_loses_no_confirmed_change(tmp_path, monkeypatch):
    """What PySyncObj's own journal does not promise: only what was synced is there afterwards."""
    hubs, power = Hubs(tmp_path, timing=COMPACTING), PowerCut(monkeypatch)
    try:
        for _ in range(5):
            hubs.start()
            with Operator(hubs, start=1000 * (_ + 1)) as operator:
                hubs.leader()
                wait_for(lambda operator=operator: len(operator.confirmed) > 12, 60)
                known = power.happens(hubs, operator.confirmed)
            hubs.start()
            hubs.leader()
            wanted = {str(spoke(number)) for number in known}
            wait_for(lambda wanted=wanted: all(wanted <= hub.view.overrides.keys() for hub in hubs), 30)
            hubs.stop()
        assert_one_leader_per_term(hubs)
    finally:
        hubs.stop()


def test_restarts_one_after_the_other_lose_no_confirmed_change(hubs):
    hubs.start()
    with Operator(hubs) as operator:
        for hub in (*hubs, *hubs):
            known = len(operator.confirmed)
            hubs.leader()
            wait_for(lambda known=known: len(operator.confirmed) > known + 3)
            hub.stop()
            hub.start()
        hubs.leader()

    wanted = {str(spoke(number)) for number in operator.confirmed}
    wait_for(lambda: all(wanted <= hub.view.overrides.keys() for hub in hubs))
    assert_one_leader_per_term(hubs)


def test_a_disk_that_hangs_holds_up_nobody_but_its_hub(hubs, monkeypatch):
    """Its loop neither: to propose and to stop returns at once."""
    hubs.start()
    leader = hubs.leader()
    stuck = others_than(hubs, leader)[0]
    release, is_stuck, original = threading.Event(), threading.Event(), os.fsync

    def fsync(descriptor: int) -> None:
        if threading.current_thread() is stuck.runner._thread:
            is_stuck.set()
            release.wait(20)
        original(descriptor)

    monkeypatch.setattr(journal.os, "fsync", fsync)
    try:
        assert leader.revoke(9) == {"changed": True}
        assert is_stuck.wait(5)
        began = time.monotonic()
        stuck.runner.propose({"op": "restore", "key": str(key_of(9))})
        stuck.turn()
        ended = stuck.runner.stop()
        assert time.monotonic() - began < 2.0  # the disk takes 20
        assert not ended
        wait_for(lambda: all(hub.view.revoked for hub in hubs if hub is not stuck))
        wait_for(lambda: stuck.runner.report.status is None)
        assert "does the disk hang" in stuck.runner.report.problem
    finally:
        release.set()


def test_a_disk_that_fails_is_said_and_tried_again(hubs, monkeypatch):
    hubs.start()
    leader = hubs.leader()
    failing = others_than(hubs, leader)[0]
    original, fails = os.fsync, threading.Event()
    fails.set()

    def fsync(descriptor: int) -> None:
        if fails.is_set() and threading.current_thread() is failing.runner._thread:
            raise OSError(5, "Input/output error")
        original(descriptor)

    monkeypatch.setattr(journal.os, "fsync", fsync)

    leader.revoke(9)
    wait_for(lambda: failing.turn() or failing.problems)
    assert "Input/output error" in failing.problems[0]
    with pytest.raises(NoQuorumError):
        failing.change(op="restore", key=str(key_of(9)))
    fails.clear()

    wait_for(lambda: str(key_of(9)) in failing.view.revoked, 15)


def test_a_single_hub_decides_alone(tmp_path):
    hubs = Hubs(tmp_path, size=1)
    hubs.start()
    try:
        wait_for(lambda: hubs[0].is_writable)

        assert hubs[0].change(op="advance", epoch=7) == {"changed": True}

        hubs.stop()
        assert stored_view(hubs[0].settings.directory).epoch == 7
    finally:
        hubs.stop()


def test_the_key_is_in_no_file_of_the_cluster(hubs):
    hubs.start()
    hubs.leader()
    hubs[0].revoke(9)
    hubs.stop()

    content = b"".join(path.read_bytes() for hub in hubs for path in hub.settings.directory.iterdir())
    for secret in (KEY.reveal_bytes(), KEY.reveal_base64().encode(), KEY.reveal_hex().encode()):
        assert secret not in content
