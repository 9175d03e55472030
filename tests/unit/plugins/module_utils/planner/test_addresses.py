# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.wirefleet.wireguard.plugins.module_utils.planner import Lock, make_plan
from ansible_collections.wirefleet.wireguard.plugins.module_utils.problems import PlanError
from ansible_collections.wirefleet.wireguard.tests.unit.plugins.fleets import addresses, fleet, lock_of, plan_again


def refusal(request, lock=None):
    with pytest.raises(PlanError) as caught:
        make_plan(request, lock or Lock())
    return str(caught.value)


def test_hubs_get_the_lowest_addresses_and_host_parts_are_equal_in_both_families():
    plan = make_plan(fleet(spokes=["a"]), Lock())

    assert addresses(plan) == {
        "hub-1": ["10.86.0.1", "fd86::1"],
        "hub-2": ["10.86.0.2", "fd86::2"],
        "hub-3": ["10.86.0.3", "fd86::3"],
        "a": ["10.86.0.4", "fd86::4"],
    }


def test_new_hosts_are_served_in_natural_order():
    plan = make_plan(fleet(spokes=["s10", "s9", "s1"]), Lock())

    assert list(plan.hosts)[3:] == ["s1", "s9", "s10"]
    assert addresses(plan)["s10"] == ["10.86.0.6", "fd86::6"]


def test_a_new_host_never_renumbers_another():
    before = make_plan(fleet(spokes=["b", "c"]), Lock())

    after = plan_again(before, fleet(spokes=["a", "b", "c"]))

    assert {name: addresses(after)[name] for name in before.hosts} == addresses(before)
    assert addresses(after)["a"] == ["10.86.0.6", "fd86::6"]


def test_a_removed_host_keeps_its_addresses_reserved_and_gets_them_back():
    first = make_plan(fleet(spokes=["a", "b"]), Lock())
    without = plan_again(first, fleet(spokes=["b", "c"]))

    back = plan_again(without, fleet(spokes=["a", "b", "c"]))

    assert without.removed == ["a"]
    assert addresses(without)["c"] == ["10.86.0.6", "fd86::6"]
    assert addresses(back)["a"] == addresses(first)["a"]
    assert lock_of(back).removed == {}


def test_a_released_address_is_given_to_the_next_new_host():
    first = make_plan(fleet(spokes=["a", "b"]), Lock())
    without = plan_again(first, fleet(spokes=["b"]))

    after = plan_again(without, fleet(spokes=["b", "c"], release_removed=["a"]))

    assert addresses(after)["c"] == ["10.86.0.4", "fd86::4"]


@pytest.mark.parametrize("released", [["all"], ["a", "c"]])
def test_many_removed_hosts_can_be_released_at_once(released):
    first = make_plan(fleet(spokes=["a", "b", "c"]), Lock())

    after = plan_again(first, fleet(spokes=["b"], release_removed=released))

    assert lock_of(after).removed == {}
    assert after.removed == ["a", "c"]


def test_releasing_a_present_host_is_refused_and_releasing_an_unknown_one_is_not():
    assert "release_removed: a host that is in the inventory keeps its address [spoke-1]" in refusal(
        fleet(release_removed=["spoke-1"])
    )
    make_plan(fleet(release_removed=["never-was"]), Lock())


def test_fixed_addresses_are_honoured_and_others_go_around_them():
    plan = make_plan(fleet(spokes=["a", "b"], hosts={"b": {"addresses": ["10.86.0.4"]}}), Lock())

    assert addresses(plan)["b"] == ["10.86.0.4", "fd86::4"]
    assert addresses(plan)["a"] == ["10.86.0.5", "fd86::5"]


def test_a_fixed_address_wins_over_the_locked_one():
    before = make_plan(fleet(spokes=["a", "b"]), Lock())

    after = plan_again(before, fleet(spokes=["a", "b"], hosts={"a": {"addresses": ["10.86.0.200"]}}))

    assert addresses(after)["a"] == ["10.86.0.200", "fd86::4"]
    assert addresses(after)["b"] == addresses(before)["b"]


def test_two_hosts_can_swap_their_addresses_by_fixing_them():
    before = make_plan(fleet(spokes=["a", "b"]), Lock())
    swapped = {"a": {"addresses": ["10.86.0.5", "fd86::5"]}, "b": {"addresses": ["10.86.0.4", "fd86::4"]}}

    after = plan_again(before, fleet(spokes=["a", "b"], hosts=swapped))

    assert addresses(after)["a"] == addresses(before)["b"]


def test_host_parts_differ_where_the_other_family_has_none_free():
    fixed = {"a": {"addresses": ["10.86.0.9"]}, "b": {"addresses": ["10.86.0.10", "fd86::9"]}}

    plan = make_plan(fleet(spokes=["a", "b"], hosts=fixed), Lock())

    assert addresses(plan)["a"] == ["10.86.0.9", "fd86::4"]


def test_the_network_and_broadcast_addresses_are_nobodys():
    plan = make_plan(fleet(spokes=2, everywhere={"overlay_prefixes": ["10.86.0.0/29"]}), Lock())

    assert [address for [address] in addresses(plan).values()] == [f"10.86.0.{n}" for n in range(1, 6)]
    for address in ("10.86.0.0", "10.86.0.7"):
        request = fleet(everywhere={"overlay_prefixes": ["10.86.0.0/29"]}, hosts={"spoke-1": {"addresses": [address]}})
        assert f"address {address} is no host address of the overlay [spoke-1]" in refusal(request)
    assert "address fd86:: is no host address" in refusal(fleet(hosts={"spoke-1": {"addresses": ["fd86::"]}}))


def test_a_fleet_may_have_ipv6_alone():
    plan = make_plan(fleet(spokes=1, everywhere={"overlay_prefixes": ["fd86::/64"]}), Lock())

    assert addresses(plan)["spoke-1"] == ["fd86::4"]


def test_an_exhausted_overlay_names_the_hosts_that_get_nothing():
    message = refusal(fleet(spokes=6, everywhere={"overlay_prefixes": ["10.86.0.0/29", "fd86::/64"]}))

    assert "overlay 10.86.0.0/29 has no free address for spoke-4, spoke-5, spoke-6 (it has 6)" in message
    assert "widen the prefix" in message


def test_a_wider_overlay_keeps_every_address():
    before = make_plan(fleet(spokes=3, everywhere={"overlay_prefixes": ["10.86.0.0/29"]}), Lock())

    after = plan_again(before, fleet(spokes=8, everywhere={"overlay_prefixes": ["10.86.0.0/24"]}))

    assert {name: addresses(after)[name] for name in before.hosts} == addresses(before)


def test_a_second_family_is_added_with_the_same_host_parts():
    before = make_plan(fleet(spokes=2, everywhere={"overlay_prefixes": ["10.86.0.0/24"]}), Lock())

    after = plan_again(before, fleet(spokes=2))

    assert addresses(after)["spoke-2"] == ["10.86.0.5", "fd86::5"]


def test_another_overlay_is_refused_until_renumbering_is_asked_for():
    before = make_plan(fleet(spokes=1), Lock())
    other = {"everywhere": {"overlay_prefixes": ["10.99.0.0/24", "fd86::/64"]}}

    message = refusal(fleet(spokes=1, **other), lock_of(before))
    after = plan_again(before, fleet(spokes=1, **other, renumber=True))

    assert "the locked address lies outside of the overlay [hub-1, hub-2, hub-3, spoke-1]" in message
    assert addresses(after)["spoke-1"] == ["10.99.0.4", "fd86::4"]


def test_duplicate_addresses_name_both_hosts():
    fixed = {"spoke-1": {"addresses": ["10.86.0.77"]}, "spoke-3": {"addresses": ["10.86.0.77"]}}

    assert "address 10.86.0.77 is held by several hosts [spoke-1, spoke-3]" in refusal(fleet(hosts=fixed))


def test_a_reserved_address_cannot_be_fixed_for_another_host():
    first = make_plan(fleet(spokes=["a", "b"]), Lock())
    without = plan_again(first, fleet(spokes=["b"]))

    message = refusal(fleet(spokes=["b", "c"], hosts={"c": {"addresses": ["10.86.0.4"]}}), lock_of(without))

    assert "address 10.86.0.4 is held by several hosts [a (removed), c]" in message
    assert "release_removed" in message


def test_a_host_has_one_address_per_family():
    message = refusal(fleet(hosts={"spoke-1": {"addresses": ["10.86.0.8", "10.86.0.9"]}}))

    assert "address 10.86.0.9 is a second address of one family [spoke-1]" in message
