# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import itertools
import json
import random

import pytest
from support.hubs import key_of
from wirefleet_agent.cluster import HubState, ViewHubState
from wirefleet_agent.cluster.state import ClusterState, ClusterView

A, B, C, SPOKE = (str(key_of(number)) for number in (1, 2, 3, 9))
MEMBERS = [A, B, C]
_ids = itertools.count()


def said(state: ClusterState, op: str, **fields: object) -> dict[str, object]:
    return state.apply({"op": op, "id": f"id {next(_ids)}"} | fields)


def revoke(state: ClusterState, key: str, **fields: object) -> dict[str, object]:
    return said(
        state, "revoke", **{"key": key, "who": "anna", "when_s": 5, "reason": "lost", "members": MEMBERS} | fields
    )


def test_each_operation_changes_once_and_is_undone_by_its_opposite():
    state = ClusterState()

    for there, back in (
        (("drain", {"hub": A, "members": MEMBERS}), ("resume", {"hub": A})),
        (("place", {"spoke": SPOKE, "hub": B}), ("place", {"spoke": SPOKE, "hub": ""})),
    ):
        assert said(state, there[0], **there[1]) == {"changed": True}
        assert said(state, there[0], **there[1]) == {"changed": False}
        assert said(state, back[0], **back[1]) == {"changed": True}
        assert said(state, back[0], **back[1]) == {"changed": False}
    assert revoke(state, SPOKE) == {"changed": True}
    assert revoke(state, SPOKE) == {"changed": False}
    assert said(state, "restore", key=SPOKE) == {"changed": True}
    assert state.view() == ClusterView()


def test_the_last_hub_is_not_drained_and_a_revoked_one_does_not_count():
    state = ClusterState()
    said(state, "drain", hub=A, members=MEMBERS)
    revoke(state, B)

    assert "last hub" in said(state, "drain", hub=C, members=MEMBERS)["refused"]
    assert state.view().drains == {A}


def test_as_many_hubs_stay_as_are_needed_to_take_it_back():
    state = ClusterState()

    assert revoke(state, A) == {"changed": True}
    assert "too few hubs" in revoke(state, B)["refused"]
    assert revoke(state, SPOKE) == {"changed": True}
    assert said(state, "restore", key=A) == {"changed": True}
    assert revoke(state, B) == {"changed": True}


def test_the_epoch_never_goes_back():
    state = ClusterState()

    assert said(state, "advance", epoch=5) == {"changed": True}
    assert said(state, "advance", epoch=5) == {"changed": False}
    assert "5 already" in said(state, "advance", epoch=4)["refused"]
    assert state.view().epoch == 5


def test_a_command_that_arrives_twice_counts_once():
    state = ClusterState()
    command = {"op": "drain", "hub": A, "members": MEMBERS, "id": "one"}
    state.apply(command)
    said(state, "resume", hub=A)

    assert state.apply(command) == {"changed": True}  # its own answer, again
    assert state.view().drains == frozenset()


@pytest.mark.parametrize(
    "command",
    [
        None,
        1,
        "drain",
        [],
        {},
        {"op": "drain"},
        {"op": "drain", "id": 1},
        {"op": "__init__", "id": "x"},
        {"op": "drain", "id": "x", "hub": A},
        {"op": "drain", "id": "x", "hub": "A", "members": MEMBERS},
        {"op": "drain", "id": "x", "hub": A, "members": []},
        {"op": "drain", "id": "x", "hub": A, "members": [A] * 17},
        {"op": "drain", "id": "x", "hub": A, "members": ["x"]},
        {"op": "revoke", "id": "x", "key": A, "members": MEMBERS, "who": "a\nb", "when_s": 1, "reason": "r"},
        {"op": "revoke", "id": "x", "key": A, "members": MEMBERS, "who": "a", "when_s": -1, "reason": "r"},
        {"op": "revoke", "id": "x", "key": A, "members": MEMBERS, "who": "a", "when_s": 1, "reason": "r" * 201},
        {"op": "place", "id": "x", "spoke": SPOKE, "hub": "nobody"},
        {"op": "advance", "id": "x", "epoch": True},
        {"op": "advance", "id": "x", "epoch": 2.0},
        {"op": "advance", "id": "x", "epoch": 2**60},
    ],
    ids=str,
)
def test_what_is_no_command_is_refused_and_changes_nothing(command):
    state = ClusterState()

    assert "refused" in state.apply(command)

    assert state.view() == ClusterView()
    assert state.version == 0


def test_the_same_commands_give_the_same_state_everywhere_also_over_a_snapshot():
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    first, second = ClusterState(), ClusterState()
    for number in range(400):
        command = {
            "op": chance.choice(["drain", "resume", "revoke", "restore", "place", "advance"]),
            "id": str(chance.randrange(300)),
            "hub": chance.choice(MEMBERS),
            "key": chance.choice([*MEMBERS, SPOKE]),
            "spoke": SPOKE,
            "members": MEMBERS,
            "who": "anna",
            "when_s": number,
            "reason": "lost",
            "epoch": chance.randrange(10),
        }
        assert first.would(command) == second.would(command)
        assert first.apply(command) == second.apply(command)
        if number % 50 == 0:
            copy = ClusterState()
            copy.replace(json.loads(json.dumps(second.as_json())))
            second = copy
        assert first.view() == second.view()


def test_what_readers_get_says_what_concerns_this_hub_and_tells_of_changes():
    hub_state = ViewHubState()
    readable: HubState = hub_state
    hub_state.own_key = key_of(1)
    told: list[int] = []
    readable.subscribe(lambda: told.append(readable.epoch))
    assert (readable.draining, readable.epoch, readable.override_of(key_of(9))) == (False, 0, None)

    hub_state.take(ClusterView(3, frozenset({A}), {}, {SPOKE: B}))
    hub_state.take(ClusterView(3, frozenset({A}), {}, {SPOKE: B}))

    assert readable.draining
    assert readable.override_of(key_of(9)) == key_of(2)
    assert told == [3]
    hub_state.take(ClusterView(4))
    assert not readable.draining
    assert hub_state.drain_alone(is_on=True)
    assert readable.draining
    assert told == [3, 4, 4]
