# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64

import pytest
from ansible_collections.wirefleet.wireguard.plugins.module_utils.json_text import dump_json
from ansible_collections.wirefleet.wireguard.plugins.module_utils.key_text import check_public_key, decode_key
from ansible_collections.wirefleet.wireguard.plugins.module_utils.preshared import (
    derive_cluster_key,
    derive_preshared_key,
    derive_preshared_keys,
)
from ansible_collections.wirefleet.wireguard.plugins.module_utils.problems import PlanError, Problem, Problems
from ansible_collections.wirefleet.wireguard.plugins.module_utils.x25519 import (
    derive_public_key,
    generate_preshared_key,
    generate_private_key,
)
from ansible_collections.wirefleet.wireguard.tests.unit.plugins.fleets import public_key


def test_json_has_one_line_per_entry_and_keeps_the_order():
    assert dump_json({"b": {"y": [1], "x": {}}, "a": [], "c": [1, 2], "d": None}) == (
        '{\n  "b": {\n    "y": [1],\n    "x": {}\n  },\n  "a": [],\n  "c": [\n    1,\n    2\n  ],\n  "d": null\n}\n'
    )


def test_problems_that_are_alike_are_reported_once_with_all_hosts():
    problems = Problems()
    assert not problems
    problems.raise_if_any()
    problems.add("bad", hosts=["a"], path="x", hint="do it")
    problems.add("bad", hosts=["b", "a"], path="x", hint="do it")

    with pytest.raises(PlanError) as caught:
        problems.raise_if_any()

    assert bool(problems)
    assert str(caught.value) == "The fleet cannot be planned: x: bad [a, b] -- do it"


def test_a_message_stays_readable_with_many_problems():
    error = PlanError(Problem(f"problem {n}") for n in range(100))

    assert "100 problems:" in str(error)
    assert "- problem 39\n- and 60 more problems" in str(error)


def test_key_texts_are_canonical_base64_of_32_bytes():
    raw = bytes(range(32))
    assert decode_key(base64.b64encode(raw).decode()) == raw
    with pytest.raises(ValueError, match="all zeros"):
        check_public_key(base64.b64encode(bytes(32)).decode())


def test_a_generated_key_is_clamped_and_new_each_time():
    one, other = generate_private_key(), generate_private_key()

    assert one != other
    assert one[0] & 7 == 0
    assert one[31] & 0xC0 == 0x40
    assert len(generate_preshared_key()) == 32


def test_the_public_key_is_that_of_rfc_7748():
    """Section 5.2, one iteration: the scalar 9 times the base point 9."""
    nine = bytes([9]) + bytes(31)

    assert derive_public_key(nine).hex() == "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"


def test_the_clusters_key_is_the_same_for_all_hubs_and_no_pairs_preshared_key():
    secret = bytes(range(32))

    assert derive_cluster_key(secret) == "7x420KgGiWGNR+htS3rCCVmR13fA8wB6/FpYUoYcVOE="
    assert derive_cluster_key(bytes(32)) != derive_cluster_key(secret)
    assert derive_cluster_key(secret) != derive_preshared_key(secret, public_key("a"), public_key("b"))


def test_both_ends_derive_the_same_preshared_key_and_every_pair_has_its_own():
    secret, a, b, c = bytes(32), public_key("a"), public_key("b"), public_key("c")

    assert derive_preshared_key(secret, a, b) == derive_preshared_key(secret, b, a)
    keys = {derive_preshared_key(secret, one, other) for one, other in ((a, b), (a, c), (b, c))}
    assert len(keys) == 3
    assert derive_preshared_key(bytes([1] * 32), a, b) not in keys
    assert derive_preshared_keys(secret, a, [b, c]) == {
        b: derive_preshared_key(secret, a, b),
        c: derive_preshared_key(secret, a, c),
    }


def test_the_derivation_is_pinned_for_ever():
    """A change here cuts every fleet with preshared keys off, host by host."""
    assert (
        derive_preshared_key(bytes(range(32)), public_key("a"), public_key("b"))
        == "b78XZsib1ZtuOzpadObO/wAJotjRKB6MQGUo9WTkg5w="
    )
