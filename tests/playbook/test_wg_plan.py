# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

PLAN = {"name": "plan", "wirefleet.wireguard.wg_plan": {}, "run_once": True, "register": "planned"}
CONFIG = {"name": "config", "wirefleet.wireguard.wg_config": {"plan_dir": "{{ planned.plan_dir }}"}}


def plan(**options):
    return {**PLAN, "wirefleet.wireguard.wg_plan": options}


def slice_of(fleet, host, directory=".wirefleet"):
    return json.loads((fleet.inventory / directory / "slices" / f"{host}.json").read_text())


def test_the_first_run_plans_the_fleet_and_the_second_changes_nothing(fleet):
    fleet.add_keys()

    first = fleet.run([PLAN]).of("plan")
    files = fleet.files()
    second = fleet.run([PLAN]).of("plan")

    assert first["changed"]
    assert first["plan_dir"] == str(fleet.plan_dir)
    assert first["lock_path"] == str(fleet.lock_path)
    assert first["hosts"]["spoke-1"]["addresses"] == ["10.86.0.4", "fd86::4"]
    assert first["changed_slices"] == ["hub-1", "hub-2", "hub-3", "spoke-1", "spoke-2", "spoke-3"]
    assert (first["pending"], first["removed"], first["stale"]) == ([], [], [])
    assert not second["changed"]
    assert second["changed_slices"] == []
    assert fleet.files() == files


def test_it_runs_once_and_every_host_sees_the_result(fleet):
    show = {"name": "show", "ansible.builtin.debug": {"msg": "{{ planned.plan_dir }}"}}

    outcome = fleet.run([PLAN, show])

    assert len(outcome.results["plan"]) == 1
    assert {result["msg"] for result in outcome.results["show"].values()} == {str(fleet.plan_dir)}
    assert len(outcome.results["show"]) == 6


def test_it_runs_once_even_if_nobody_asks_for_it(fleet):
    outcome = fleet.run([{"name": "plan", "wirefleet.wireguard.wg_plan": {}}])

    assert len(outcome.results["plan"]) == 1


def test_limit_never_yields_a_partial_plan_and_names_the_hosts_that_it_leaves_behind(fleet):
    fleet.add_keys()
    fleet.run([PLAN])
    whole = fleet.files()
    assert fleet.run([PLAN], "--limit", "spoke-1").of("plan")["changed"] is False
    assert fleet.files() == whole

    del fleet.hosts["spokes"]["spoke-3"]
    outcome = fleet.run([PLAN, CONFIG], "--limit", "spoke-1,hub-1")

    result = outcome.of("plan")
    assert result["removed"] == ["spoke-3"]
    assert result["changed_slices"] == ["hub-1", "hub-2", "hub-3"]
    assert result["stale"] == ["hub-2", "hub-3"]
    assert any("Outside of --limit" in warning and "hub-2, hub-3" in warning for warning in result["warnings"])
    assert set(outcome.results["config"]) == {"spoke-1", "hub-1"}
    assert "spoke-3" not in outcome.results["config"]["hub-1"]["conf"]
    assert not (fleet.plan_dir / "slices" / "spoke-3.json").exists()
    assert "10.86.0.6" in json.dumps(json.loads(fleet.lock_path.read_text())["removed"]["spoke-3"])


def test_check_mode_touches_nothing_and_later_tasks_read_the_scratch_plan(fleet):
    fleet.add_keys()
    fleet.run([PLAN])
    before = fleet.files()
    fleet.hosts["spokes"]["spoke-4"] = {"wirefleet_public_key": "CJ8mXuKRkzM4cOeJ0oXyYDv7bYtCEI8bZcXo1aTIXjo="}

    outcome = fleet.run([PLAN, CONFIG], "--check")

    result = outcome.of("plan")
    scratch = f"{fleet.plan_dir.name}.check"
    assert outcome.code == 0
    assert result["changed"]
    assert result["plan_dir"] == str(fleet.inventory / scratch)
    assert result["changed_slices"] == ["hub-1", "hub-2", "hub-3", "spoke-4"]
    assert {name: raw for name, raw in fleet.files().items() if not name.startswith(scratch)} == before
    assert "spoke-4" in outcome.results["config"]["hub-1"]["conf"]

    fleet.run([PLAN])
    assert not (fleet.inventory / scratch).exists()


def test_check_mode_on_a_planned_fleet_reports_no_change(fleet):
    fleet.add_keys()
    fleet.run([PLAN])

    result = fleet.run([PLAN], "--check").of("plan")

    assert not result["changed"]
    assert result["plan_dir"] == str(fleet.plan_dir)


def test_diff_mode_shows_the_hosts_that_change(fleet):
    fleet.add_keys()
    fleet.run([PLAN])
    fleet.variables["wirefleet_mtu"] = 1380

    diff = fleet.run([PLAN], "--check", "--diff").of("plan")["diff"]

    assert "spoke-1 mtu: 1420\n" in diff["before"]
    assert "spoke-1 mtu: 1380\n" in diff["after"]


def test_all_problems_are_reported_together(fleet):
    fleet.hosts["hubs"]["hub-1"].pop("wirefleet_endpoint")
    fleet.hosts["spokes"]["spoke-1"]["wirefleet_region"] = "mars"
    fleet.hosts["spokes"]["spoke-2"]["wirefleet_site_prefixes"] = ["10.86.0.0/25"]
    fleet.hosts["spokes"]["spoke-3"]["wirefleet_mtu"] = "{{ nowhere }}"

    unreadable = fleet.run([PLAN]).of("plan")
    fleet.hosts["spokes"]["spoke-3"].clear()
    outcome = fleet.run([PLAN])

    assert unreadable["failed"]
    assert "wirefleet_mtu: the template cannot be evaluated" in unreadable["msg"]
    result = outcome.of("plan")
    assert outcome.code == 2
    assert "3 problems" in result["msg"]
    assert {tuple(problem["hosts"]) for problem in result["errors"]} == {("hub-1",), ("spoke-1",), ("spoke-2",)}
    assert fleet.files() == {}


def test_a_hostile_lock_file_fails_with_its_path(fleet):
    fleet.lock_path.write_text('{"schema": 1, "hosts": {"../x": {}}}')

    result = fleet.run([PLAN]).of("plan")

    assert result["failed"]
    assert f"{fleet.lock_path}: hosts.../x: is not a host's name" in result["msg"]


def test_keys_come_from_registered_results_and_from_the_task(fleet):
    given = {"spoke-1": "CJ8mXuKRkzM4cOeJ0oXyYDv7bYtCEI8bZcXo1aTIXjo="}
    register = {
        "name": "key",
        "ansible.builtin.set_fact": {"key": {"public_key": "{{ (inventory_hostname | hash('sha1'))[:40] }}AAA="}},
        "when": "inventory_hostname != 'spoke-2'",
    }

    result = fleet.run([register, plan(public_keys_register="key", public_keys=given)]).of("plan")

    assert result["pending"] == ["spoke-2"]
    assert slice_of(fleet, "spoke-1")["public_key"] == given["spoke-1"]
    assert [peer["name"] for peer in slice_of(fleet, "hub-1")["peers"]] == ["hub-2", "hub-3", "spoke-1", "spoke-3"]
    again = fleet.run([PLAN]).of("plan")
    assert not again["changed"]
    assert again["pending"] == ["spoke-2"]


def test_options_win_over_variables(fleet):
    options = {"overlay_prefixes": ["10.99.0.0/24"], "port": 4500, "tunnel": "ovl", "plan_dir": str(fleet.root / "p")}

    result = fleet.run([plan(**options)]).of("plan")

    assert result["hosts"]["hub-1"]["addresses"] == ["10.99.0.1"]
    assert (fleet.root / "p" / "slices" / "hub-1.json").exists()
    assert not fleet.plan_dir.exists()


def test_a_degraded_fleet_is_planned_with_a_warning(fleet):
    del fleet.hosts["hubs"]["hub-3"]

    refused = fleet.run([PLAN]).of("plan")
    result = fleet.run([plan(allow_degraded=True)]).of("plan")

    assert "exactly three hubs, not 2" in refused["msg"]
    assert any("degraded: 2 of 3 hubs" in warning for warning in result["warnings"])


def test_a_lost_lock_is_a_warning(fleet):
    fleet.run([PLAN])
    fleet.lock_path.unlink()

    assert any("no lock file" in warning for warning in fleet.run([PLAN]).of("plan")["warnings"])


def test_the_lock_file_beside_the_inventory_is_no_inventory(fleet):
    fleet.run([PLAN])

    assert "WARNING" not in fleet.run([PLAN], json_output=False).text


def test_a_play_that_misses_the_planned_hosts_plans_them_all_the_same(fleet):
    result = fleet.run([PLAN], hosts="hub-2").of("plan")

    assert len(result["hosts"]) == 6
    assert result["stale"] == []


@pytest.mark.parametrize("option", [{"mtu": "x"}, {"unknown": 1}, {"overlay_prefixes": {"a": 1}}])
def test_wrong_options_are_refused(fleet, option):
    assert fleet.run([plan(**option)]).of("plan")["failed"]
