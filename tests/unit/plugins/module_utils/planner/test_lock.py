# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.wirefleet.wireguard.plugins.module_utils.planner import (
    Lock,
    LockedHost,
    make_plan,
    parse_lock,
    render_lock,
)
from ansible_collections.wirefleet.wireguard.plugins.module_utils.problems import PlanFilesError
from ansible_collections.wirefleet.wireguard.tests.unit.plugins.fleets import fleet, lock_of, plan_again, public_key

GOOD = {"role": "spoke", "addresses": ["10.86.0.4"], "public_key": public_key("a"), "preferred_hubs": ["h"]}


def refusal(document):
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(PlanFilesError) as caught:
        parse_lock(raw, "the.lock.json")
    assert "the.lock.json" in str(caught.value)
    return str(caught.value)


def lock(hosts=None, **more):
    return {"schema": 1, "overlay": ["10.86.0.0/24"], "hosts": hosts or {}, "removed": {}, **more}


def test_a_lock_survives_its_file():
    first = make_plan(fleet(spokes=3), Lock())
    second = plan_again(first, fleet(spokes=["spoke-2"], without_keys=["spoke-2"]))

    assert render_lock(lock_of(second)) == second.lock_text
    assert set(lock_of(second).removed) == {"spoke-1", "spoke-3"}


def test_a_lock_has_one_line_per_host():
    text = make_plan(fleet(spokes=1), Lock()).lock_text

    [line] = [line for line in text.splitlines() if '"spoke-1"' in line]
    assert line.startswith('    "spoke-1": {"role": "spoke", "addresses": ["10.86.0.4", "fd86::4"], "public_key": "')


def test_a_lock_never_holds_more_than_it_says():
    document = json.loads(make_plan(fleet(spokes=1), Lock()).lock_text)

    assert set(document) == {"schema", "overlay", "hosts", "removed"}
    assert set(document["hosts"]["spoke-1"]) == {"role", "addresses", "public_key", "preferred_hubs"}


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        (b"", "the file is not JSON"),
        (b"{", "the.lock.json:1: the file is not JSON"),
        (b"{\n<<<<<<< HEAD\n", "the file holds a merge conflict"),
        (b"\xff\xfe", "the file is not UTF-8 text"),
        (b"[" * 100000, "nested too deeply"),
        (b"[]", "the file holds no JSON object"),
        (b'{"schema": 1, "schema": 1}', "the key 'schema' stands twice"),
        ({}, "schema: schema None is not 1"),
        ({"schema": 2}, "schema: schema 2 is not 1"),
        ({"schema": 1, "private_keys": {}}, "private_keys: this key is unknown"),
        (lock(overlay="x"), "overlay: is not a list of networks"),
        (lock(overlay=[1]), "overlay: is not a list of networks"),
        ({"schema": 1, "hosts": [1]}, "hosts: is not an object"),
        (lock({"../../x": GOOD}), "hosts.../../x: is not a host's name"),
        (lock({"a": []}), "hosts.a: is not an object"),
        (lock({"a": {**GOOD, "private_key": "x"}}), "hosts.a.private_key: this key is unknown"),
        (lock({"a": {**GOOD, "role": "king"}}), "hosts.a.role: is neither hub nor spoke"),
        (lock({"a": {**GOOD, "preferred_hubs": "h"}}), "hosts.a.preferred_hubs: is not a list of hosts"),
        (lock({"a": {**GOOD, "preferred_hubs": ["/"]}}), "hosts.a.preferred_hubs: is not a list of hosts"),
        (lock({"a": {**GOOD, "public_key": "x"}}), "hosts.a.public_key: a public key is 44 base64 characters"),
        (lock({"a": {**GOOD, "public_key": 5}}), "hosts.a.public_key: a public key is"),
        (lock({"a": {"role": "hub"}}), "hosts.a.addresses: is not a list of addresses"),
        (lock({"a": {**GOOD, "addresses": ["10.86.0.4/24"]}}), "hosts.a.addresses[0]: '10.86.0.4/24' is not an IPv4"),
        (lock({"a": {**GOOD, "addresses": [{"x": 1}]}}), "hosts.a.addresses[0]:"),
        (
            lock({"a": {**GOOD, "addresses": ["10.86.0.4", "10.86.0.5"]}}),
            "hosts.a.addresses[1]: one address per family",
        ),
        (
            lock({"a": GOOD, "b": {**GOOD, "public_key": None}}),
            "hosts.b.addresses[0]: 10.86.0.4 is also held by hosts.a",
        ),
        (lock({"a": GOOD, "b": {**GOOD, "addresses": []}}), "hosts.b.public_key: is also the key of a"),
        (lock({"a": GOOD}, removed={"a": {"addresses": []}}), "removed.a: the host is also among hosts"),
        (lock(removed={"b": {"addresses": [], "public_key": "x"}}), "removed.b.public_key: this key is unknown"),
    ],
)
def test_a_hostile_or_hand_edited_lock_is_refused_with_the_place(document, complaint):
    assert complaint in refusal(document)


def test_every_problem_of_a_lock_is_reported_together():
    message = refusal(lock({"a": {**GOOD, "role": "x", "public_key": "y"}, "b": 3}))

    assert "3 problems" in message


def test_a_refusal_never_repeats_what_might_be_a_secret():
    message = refusal(lock({"a": {**GOOD, "public_key": "c2VjcmV0c2VjcmV0"}}))

    assert "c2VjcmV0" not in message


def test_names_and_keys_of_an_unknown_host_are_nothing():
    assert Lock().addresses_of("x") == ()
    assert Lock().public_key_of("x") is None
    assert LockedHost("hub", ()).public_key is None
