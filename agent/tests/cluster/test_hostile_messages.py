# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""What comes over TCP to a hub that runs: with the cluster's key and without it, well-formed and not."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest
from support.hostile import HOSTILE, Marker, hostile_pickles
from support.hub_client import HubClient
from support.hubs import KEY, Hub, Hubs, Timing, wait_for
from wirefleet_agent.cluster import restricted_pickle
from wirefleet_agent.keys import ClusterKey

WRONG_KEY = ClusterKey(bytes(reversed(range(32))))
# Slow enough that the one hub calls no election while it is talked to.
CALM = Timing(heartbeat_s=0.5, election_min_s=30, election_max_s=40, fallback_s=30)


@pytest.fixture
def hubs(tmp_path) -> Iterator[Hubs]:
    hubs = Hubs(tmp_path, timing=CALM)
    yield hubs
    hubs.stop()


@pytest.fixture
def hub(hubs) -> Hub:
    """The one that runs; the tests play the third."""
    hubs[0].start()
    return hubs[0]


@pytest.fixture
def unpickled(monkeypatch) -> list[bytes]:
    """Everything that was given to any unpickler."""
    seen: list[bytes] = []
    original = restricted_pickle.loads

    def noted(data: bytes) -> object:
        seen.append(data)
        return original(data)

    monkeypatch.setattr(restricted_pickle, "loads", noted)
    return seen


def client_of(hubs: Hubs, key: ClusterKey = KEY, *, source: str | None = None) -> HubClient:
    return HubClient(hubs[2].settings.own, hubs[0].settings.own, key, source=source)


def lead(client: HubClient, *entries: bytes, term: int = 5, commit_index: int = 1) -> None:
    """What a leader of ``term`` says after an empty log."""
    made = [(command, index, term) for index, command in enumerate(entries, start=2)]
    client.say(type="append_entries", term=term, commit_index=commit_index, entries=made, prevLogIdx=1, prevLogTerm=0)


def counters_of(hub: Hub) -> tuple[int, int, int, int]:
    hub.turn()
    report = hub.runner.report
    return report.strangers, report.not_authentic, report.malformed, report.refused_pickles


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pickle_of_a_hub_that_has_the_key_is_refused(name, hubs, hub, tmp_path):
    marker, client = Marker(tmp_path), client_of(hubs)
    client.hello()

    client.message(hostile_pickles(marker)[name])

    assert client.is_closed_by_hub()
    wait_for(lambda: counters_of(hub) == (0, 0, 0, 1))
    assert not marker.was_touched
    assert hub.runner._thread.is_alive()


@pytest.mark.parametrize("name", HOSTILE)
def test_without_the_key_nothing_is_unpickled_at_all(name, hubs, hub, tmp_path, unpickled):
    marker, client = Marker(tmp_path), client_of(hubs, WRONG_KEY)
    hostile = hostile_pickles(marker)[name]

    client.send_body(hostile)

    assert client.is_closed_by_hub()
    wait_for(lambda: counters_of(hub) == (0, 1, 0, 0))
    assert unpickled == []
    assert not marker.was_touched


def test_before_both_have_said_who_they_are_nothing_is_unpickled(hubs, hub, tmp_path, unpickled):
    client = client_of(hubs)

    client.message(hostile_pickles(Marker(tmp_path))["os.system"])

    assert client.is_closed_by_hub()
    wait_for(lambda: counters_of(hub) == (0, 0, 1, 0))
    assert unpickled == []


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("is_leader", [True, False])
def test_a_hostile_pickle_in_a_command_does_not_get_into_the_log(name, is_leader, hubs, hub, tmp_path):
    """A command is a pickle in a pickle: PySyncObj would read it when it is applied, and never get past it."""
    marker, client = Marker(tmp_path), client_of(hubs)
    client.hello()
    command = b"\0" + hostile_pickles(marker)[name]

    if is_leader:
        lead(client, command, commit_index=2)
    else:
        client.say(type="apply_command", command=command, request_id=1)

    assert client.is_closed_by_hub()
    wait_for(lambda: counters_of(hub) == (0, 0, 1, 0))
    assert not marker.was_touched
    assert hub.problems == []


@pytest.mark.parametrize(
    "call", [(7, ({},)), ("change", ({},)), (0, ({},), {"callback": 1}), 0, (0, ({}, {})), (0, ())]
)
def test_a_command_that_calls_anything_but_a_change_does_not_get_into_the_log(call, hubs, hub):
    client = client_of(hubs)
    client.hello()

    lead(client, b"\0" + restricted_pickle.dumps(call), commit_index=2)

    assert client.is_closed_by_hub()
    wait_for(lambda: counters_of(hub) == (0, 0, 1, 0))


def test_a_change_of_a_hub_that_has_the_key_is_applied(hubs, hub):
    """Or the tests above would prove nothing."""
    client = client_of(hubs)
    client.hello()
    change = {"op": "drain", "hub": hub.name, "members": hub.settings.member_names, "id": "x"}

    lead(client, b"\0" + restricted_pickle.dumps((0, (change,))), b"\0" + restricted_pickle.dumps((0, ({},))))
    client.say(type="append_entries", term=5, commit_index=3, entries=[], prevLogIdx=3, prevLogTerm=5)

    wait_for(lambda: hub.view.drains == {hub.name})
    assert client.receive_message("next_node_idx") == {
        "type": "next_node_idx",
        "term": 5,
        "next_node_idx": 4,
        "reset": False,
        "success": True,
    }


@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        ["status"],
        "readonly",
        {},
        {"type": 1},
        {"type": "timeout_now", "term": 99},
        {"type": "append_entries"},
        {"type": "append_entries", "term": "5", "commit_index": 1, "entries": [], "prevLogIdx": 1, "prevLogTerm": 0},
        {"type": "append_entries", "term": -1, "commit_index": 1, "entries": [], "prevLogIdx": 1, "prevLogTerm": 0},
        {"type": "append_entries", "term": True, "commit_index": 1, "entries": [], "prevLogIdx": 1, "prevLogTerm": 0},
        {"type": "append_entries", "term": 5, "commit_index": 1, "entries": [1], "prevLogIdx": 1, "prevLogTerm": 0},
        {
            "type": "append_entries",
            "term": 5,
            "commit_index": 1,
            "entries": [(b"\x02" + pickle.dumps(["add", "x"]), 2, 5)],
            "prevLogIdx": 1,
            "prevLogTerm": 0,
        },
        {
            "type": "append_entries",
            "term": 5,
            "commit_index": 1,
            "entries": [(b"\x01", 9, 5)],
            "prevLogIdx": 1,
            "prevLogTerm": 0,
        },
        {
            "type": "append_entries",
            "transmission": "finish",
            "data": b"x",
            "term": 5,
            "commit_index": 1,
            "prevLogIdx": 1,
            "prevLogTerm": 0,
        },
        {"type": "append_entries", "term": 5, "commit_index": 1, "serialized": ("x", True, True)},
        {"type": "next_node_idx", "next_node_idx": 5, "reset": True, "success": True},
        {"type": "request_vote", "term": 5, "last_log_index": 1, "last_log_term": 1, "more": 1},
        {"type": "apply_command", "command": b"\x03" + restricted_pickle.dumps(7)},
        {"type": "apply_command", "command": "text"},
        {"type": "apply_command_response", "request_id": 1},
    ],
    ids=lambda message: str(message)[:60],
)
def test_a_message_that_pysyncobj_does_not_expect_ends_the_connection(message, hubs, hub):
    client = client_of(hubs)
    client.hello()

    client.message(restricted_pickle.dumps(message))

    assert client.is_closed_by_hub()
    wait_for(lambda: counters_of(hub) == (0, 0, 1, 0))
    assert hub.problems == []


def test_a_stranger_is_closed_before_it_says_anything(hubs, hub):
    client = client_of(hubs, source="127.0.0.1")

    assert client.is_closed_by_hub()
    wait_for(lambda: counters_of(hub)[0] == 1)


def test_a_member_does_not_pass_for_another_one(hubs, hub):
    third, second = hubs[2].settings.own, hubs[1].settings.own
    client = HubClient(third, hubs[0].settings.own, source=second.address)

    client.send_body(b"H" + third.key.raw + hubs[0].settings.own.key.raw + client.nonce)

    assert client.is_closed_by_hub()
    wait_for(lambda: counters_of(hub) == (0, 0, 1, 0))


def test_a_message_that_is_sent_again_ends_the_connection(hubs, hub):
    client = client_of(hubs)
    client.hello()
    body = b"M" + client.hub_nonce + b">" + (1).to_bytes(8, "big") + restricted_pickle.dumps({"type": "ping"})
    frame = client.send_body(body)

    client.send_raw(frame)

    assert client.is_closed_by_hub()
    wait_for(lambda: counters_of(hub) == (0, 0, 1, 0))


def test_a_message_of_an_earlier_connection_is_worth_nothing(hubs, hub):
    first = client_of(hubs)
    first.hello()
    body = b"M" + first.hub_nonce + b">" + (1).to_bytes(8, "big") + restricted_pickle.dumps({"type": "ping"})
    frame = first.send_body(body)
    first.close()
    second = client_of(hubs)
    second.hello()

    second.send_raw(frame)

    assert second.is_closed_by_hub()


@pytest.mark.parametrize("raw", [b"\xff\xff\xff\xff", b"\x00\x00\x04\x01" + b"x" * 2000, b"\x00\x00\x00\x00", b"GET /"])
def test_a_frame_that_is_too_long_or_none_is_not_collected(raw, hubs, hub):
    client = client_of(hubs)

    client.send_raw(raw)

    assert client.is_closed_by_hub()


def test_who_says_nothing_is_closed_and_takes_nobodys_place(hubs, hub):
    silent = [client_of(hubs) for _ in range(20)]

    assert all(client.is_closed_by_hub(8) for client in silent)
    client = client_of(hubs)
    client.hello()


def test_who_holds_all_places_of_one_address_keeps_no_other_hub_out(hubs, hub):
    silent = [client_of(hubs) for _ in range(10)]
    wait_for(lambda: counters_of(hub)[0] == 6)

    second = HubClient(hubs[1].settings.own, hubs[0].settings.own)
    second.hello()

    for client in silent:
        client.close()


def test_a_snapshot_that_is_a_hostile_pickle_is_refused_and_not_stored(hubs, hub, tmp_path):
    marker, client = Marker(tmp_path), client_of(hubs)
    client.hello()
    hostile = hostile_pickles(marker)["os.system"]

    client.say(type="append_entries", term=5, commit_index=9, serialized=(hostile, True, False))
    client.say(type="append_entries", term=5, commit_index=9, serialized=(b"", False, True))

    assert client.is_closed_by_hub()
    wait_for(lambda: counters_of(hub) == (0, 0, 1, 0))
    assert not marker.was_touched
    assert not (hub.settings.directory / "snapshot").exists()
    assert hub.problems == []


def test_an_answer_to_the_leader_of_an_earlier_term_does_not_count(hubs, hub):
    """Else this hub would take an entry for stored by a majority that a later leader has replaced there."""
    client = client_of(hubs)
    client.hello()
    client.say(type="request_vote", term=7, last_log_index=9, last_log_term=7)
    assert client.receive_message("response_vote")["term"] == 7

    client.say(type="next_node_idx", term=6, next_node_idx=10, reset=True, success=True)
    client.say(type="ping")
    client.say(type="request_vote", term=8, last_log_index=9, last_log_term=7)

    assert client.receive_message("response_vote")["term"] == 8
    assert hub.problems == []
