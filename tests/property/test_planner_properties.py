# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must hold for every fleet and every history of changes."""

from __future__ import annotations

import ipaddress
import json

import hypothesis.strategies as st
from ansible_collections.wirefleet.wireguard.plugins.module_utils.planner import (
    Candidate,
    Lock,
    make_plan,
    parse_lock,
    rank_hubs,
)
from ansible_collections.wirefleet.wireguard.plugins.module_utils.problems import PlanFilesError
from ansible_collections.wirefleet.wireguard.tests.unit.plugins.fleets import (
    addresses,
    fleet,
    lock_of,
    peers_of,
    plan_again,
    slice_of,
)
from ansible_collections.wirefleet.wireguard.tests.unit.plugins.ways import Ways
from hypothesis import HealthCheck, given, settings

CALM = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NAMES = [f"s{n}" for n in range(12)]
SPOKES = st.lists(st.sampled_from(NAMES), unique=True, max_size=len(NAMES))
HISTORIES = st.lists(SPOKES, min_size=1, max_size=6)
WEIGHTS = st.integers(min_value=0, max_value=1000)
HUBS = st.lists(
    st.builds(Candidate, name=st.sampled_from("abcdef"), region=st.sampled_from(["eu", "us"]), weight=WEIGHTS),
    min_size=1,
    max_size=6,
    unique_by=lambda hub: hub.name,
)


@CALM
@given(HISTORIES)
def test_no_history_renumbers_a_host_or_gives_an_address_twice(history):
    ever: dict[str, list[str]] = {}
    plan = make_plan(fleet(spokes=history[0]), Lock())
    for spokes in [*history[1:], history[0]]:
        plan = plan_again(plan, fleet(spokes=spokes))
        for name, held in addresses(plan).items():
            assert ever.setdefault(name, held) == held
    flat = [address for held in ever.values() for address in held]
    assert len(flat) == len(set(flat))


@CALM
@given(HISTORIES)
def test_whoever_is_gone_is_in_nobodys_slice(history):
    plan = make_plan(fleet(spokes=history[0]), Lock())
    for spokes in history[1:]:
        plan = plan_again(plan, fleet(spokes=spokes))
    gone = set(NAMES) - set(history[-1])

    assert set(plan.slice_texts) == {"hub-1", "hub-2", "hub-3", *history[-1]}
    for host in plan.slice_texts:
        assert not gone & set(peers_of(plan, host))


@CALM
@given(SPOKES, st.randoms(use_true_random=False))
def test_the_order_of_the_inventory_never_matters(spokes, chance):
    mixed = list(spokes)
    chance.shuffle(mixed)

    assert make_plan(fleet(spokes=spokes, everywhere={"region": "eu"}), Lock()) == make_plan(
        fleet(spokes=mixed, everywhere={"region": "eu"}), Lock()
    )


@CALM
@given(SPOKES)
def test_adding_a_host_changes_its_own_slice_and_those_of_the_hubs_only(spokes):
    same = {"everywhere": {"region": "eu"}}
    before = make_plan(fleet(spokes=spokes, **same), Lock())
    after = plan_again(before, fleet(spokes=["a-new-one", *spokes], **same))

    changed = {name for name, text in after.slice_texts.items() if before.slice_texts.get(name) != text}
    assert changed == {"a-new-one", "hub-1", "hub-2", "hub-3"}


@CALM
@given(st.sets(st.integers(0, 255), max_size=12), st.sets(st.sampled_from(NAMES), max_size=4))
def test_no_two_peers_of_a_host_own_the_same_address(thirds, keyless):
    hosts = {
        name: {"site_prefixes": [f"10.20.{third}.0/24"]} for name, third in zip(NAMES, sorted(thirds), strict=False)
    }
    plan = make_plan(fleet(spokes=NAMES, hosts=hosts, without_keys=keyless), Lock())

    for host in plan.slice_texts:
        owners: dict[str, str] = {}
        for name, peer in peers_of(plan, host).items():
            for prefix in peer["allowed_ips"]:
                assert owners.setdefault(prefix, name) == name
        own = [ipaddress.ip_interface(text).ip for text in slice_of(plan, host)["interface"]["addresses"]]
        exact = {ipaddress.ip_network(text) for text in owners}
        assert not exact & {ipaddress.ip_network(address) for address in own}


HUB_NAMES = ("hub-1", "hub-2", "hub-3")
GATEWAYS = st.sets(st.sampled_from(NAMES[:5]), min_size=1, max_size=3) | st.sets(
    st.sampled_from(HUB_NAMES), min_size=1, max_size=3
)
SUPERNETS = st.sets(st.sampled_from(["10.20.0.0/16", "10.20.0.0/23", "10.20.1.0/24", "10.20.2.128/25"]), max_size=2)


@CALM
@given(st.lists(GATEWAYS, max_size=4), SUPERNETS, st.sets(st.sampled_from([*NAMES[:5], *HUB_NAMES[1:]])), st.data())
def test_every_packet_from_and_to_a_site_arrives_whoever_its_gateways_are_and_whoever_carries_it(
    sites, supernets, keyless, data
):
    hosts: dict[str, dict[str, list[str]]] = {}
    for third, gateways in enumerate(sites):
        for name in gateways:
            hosts.setdefault(name, {"site_prefixes": []})["site_prefixes"].append(f"10.20.{third}.0/24")
    everywhere = {"site_supernets": sorted(supernets), "region": "eu"}
    plan = make_plan(fleet(spokes=NAMES[:7], hosts=hosts, without_keys=keyless, everywhere=everywhere), Lock())
    hubs = [name for name in HUB_NAMES if name not in keyless]
    uses = {name: data.draw(st.sampled_from(hubs)) for name in NAMES[:7]}
    over = {
        (hub, group["name"]): data.draw(st.sampled_from(group["members"]))
        for hub in hubs
        for kind in ("groups", "sites")
        for group in slice_of(plan, hub)[kind]
    }
    ways = Ways(plan, uses, over)

    known = [name for name in plan.hosts if name not in keyless]
    for third, gateways in enumerate(sites):
        inside = ipaddress.ip_address(f"10.20.{third}.9")
        for gateway in gateways & {*known}:
            for other in known:
                assert ways.way(other, inside)[-1] in gateways
                assert ways.way(gateway, plan.hosts[other]["addresses"][0], source_address=inside)[-1] == other
            for another, behind in enumerate(sites):
                if behind & {*known}:
                    assert ways.way(gateway, f"10.20.{another}.9", source_address=inside)[-1] in behind


@CALM
@given(st.lists(GATEWAYS, max_size=4), st.sets(st.sampled_from([*NAMES[:5], *HUB_NAMES])))
def test_groups_and_sites_are_as_an_agent_takes_them(sites, keyless):
    hosts: dict[str, dict[str, list[str]]] = {}
    for third, gateways in enumerate(sites):
        for name in gateways:
            hosts.setdefault(name, {"site_prefixes": []})["site_prefixes"].append(f"10.20.{third}.0/24")
    plan = make_plan(fleet(spokes=NAMES[:7], hosts=hosts, without_keys=keyless), Lock())

    for host in plan.slice_texts:
        document, peers = slice_of(plan, host), peers_of(plan, host)
        together = [*document["groups"], *document["sites"]]
        assert len({group["name"] for group in together}) == len(together)
        for group in together:
            assert 2 <= len(group["members"]) <= 16
            assert len({*group["members"]}) == len(group["members"])
            first = next(name for name in group["members"] if name in peers)
            assert {*group["allowed_ips"]} <= {*peers[first]["allowed_ips"]}
        relays = document["relays"] or {"members": [], "fixed": []}
        for site in document["sites"]:
            assert document["role"] == "hub"
            assert not {*site["members"]} & {*relays["members"], *relays["fixed"]}
        carried = {text for peer in peers.values() for text in peer["allowed_ips"]}
        assert {*document["local_networks"]} <= carried


@CALM
@given(HUBS, st.text("xyz", min_size=1, max_size=4), st.sampled_from(["eu", "us", "ap"]))
def test_ranking_two_hubs_depends_on_nothing_but_these_two(hubs, spoke, region):
    ranking = rank_hubs(spoke, region, hubs)

    assert sorted(ranking) == sorted(hub.name for hub in hubs)
    for lost in hubs:
        rest = [hub for hub in hubs if hub is not lost]
        assert rank_hubs(spoke, region, rest) == tuple(name for name in ranking if name != lost.name)


@CALM
@given(HUBS, st.text("xyz", min_size=1, max_size=4), st.integers(1, 5))
def test_more_weight_never_makes_a_hub_less_liked(hubs, spoke, factor):
    heavier = [Candidate(hubs[0].name, hubs[0].region, hubs[0].weight * factor), *hubs[1:]]

    before = rank_hubs(spoke, "eu", hubs).index(hubs[0].name)
    assert rank_hubs(spoke, "eu", heavier).index(hubs[0].name) <= before


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
GOOD_LOCK = make_plan(fleet(spokes=2), Lock()).lock_text.encode()


def is_read_or_refused_by_name(raw):
    try:
        parse_lock(raw, "the.lock.json")
    except PlanFilesError as error:
        return "the.lock.json" in str(error)
    return True


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80) | st.integers(0, len(GOOD_LOCK)).map(lambda cut: GOOD_LOCK[:cut]))
def test_no_bytes_make_the_reading_of_a_lock_fail_otherwise_than_named(raw):
    assert is_read_or_refused_by_name(raw)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["overlay", "hosts", "removed"]), JSON, st.sampled_from(["role", "addresses", "public_key", "x"])
)
def test_no_value_in_a_lock_makes_its_reading_fail_otherwise_than_named(section, value, key):
    for document in (
        {"schema": 1, section: value},
        {"schema": 1, "hosts": {"a": {"role": "hub", "addresses": [], key: value}}},
        {"schema": 1, "removed": {"a": {"addresses": value}}},
    ):
        assert is_read_or_refused_by_name(json.dumps(document).encode())


def test_a_lock_is_its_own_fixed_point():
    assert lock_of(make_plan(fleet(spokes=2), Lock())) == parse_lock(GOOD_LOCK, "x")
