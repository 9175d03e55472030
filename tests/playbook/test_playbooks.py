# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shipped playbooks and role defaults, as far as they need no host."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
DEFAULTS = CHECKOUT / "roles" / "tunnel_config" / "defaults" / "main.yml"


def test_two_hubs_are_refused_until_the_operator_accepts_a_degraded_fleet(fleet):
    fleet.add_keys()
    del fleet.hosts["hubs"]["hub-3"]
    playbook = CHECKOUT / "playbooks" / "plan.yml"

    refused = fleet.run([], playbook=playbook)
    accepted = fleet.run([], "-e", "wirefleet_allow_degraded=true", playbook=playbook)

    assert refused.code != 0
    assert "wirefleet_allow_degraded" in refused.text
    assert accepted.code == 0, accepted.text
    assert set(accepted.of("Fleet has a plan")["hosts"]) == {"hub-1", "hub-2", "spoke-1", "spoke-2", "spoke-3"}


@pytest.mark.parametrize(("spokes", "forks", "expected_s"), [(3, 5, 180), (397, 5, 920), (397, 100, 180)])
def test_time_to_confirm_grows_with_the_rounds_that_a_play_needs(fleet, spokes, forks, expected_s):
    """Every host applies before the first one confirms."""
    fleet.hosts["spokes"] = {f"spoke-{n}": {} for n in range(spokes)}
    show = {
        "name": "show",
        "ansible.builtin.debug": {"msg": "{{ tunnel_config_confirm_timeout_s | int }}"},
        "run_once": True,
    }
    read = {"name": "read", "ansible.builtin.include_vars": {"file": str(DEFAULTS)}, "run_once": True}

    outcome = fleet.run([read, show], "--forks", str(forks))

    assert int(outcome.of("show")["msg"]) == expected_s


def test_addresses_of_removed_hosts_can_be_released_with_the_shipped_playbook(fleet):
    fleet.add_keys()
    playbook = CHECKOUT / "playbooks" / "plan.yml"
    fleet.run([], playbook=playbook)
    del fleet.hosts["spokes"]["spoke-1"]
    fleet.run([], playbook=playbook)
    fleet.hosts["spokes"]["spoke-9"] = {}

    planned = fleet.run([], "-e", "wirefleet_release_removed=spoke-1", playbook=playbook).of("Fleet has a plan")

    assert planned["hosts"]["spoke-9"]["addresses"] == ["10.86.0.4", "fd86::4"]


def test_another_overlay_is_refused_until_the_operator_asks_for_new_addresses(fleet):
    fleet.add_keys()
    playbook = CHECKOUT / "playbooks" / "plan.yml"
    fleet.run([], playbook=playbook)
    fleet.variables["wirefleet_overlay_prefixes"] = ["10.99.0.0/24"]

    refused = fleet.run([], playbook=playbook)
    renumbered = fleet.run([], "-e", "wirefleet_renumber=true", playbook=playbook)

    assert "-e wirefleet_renumber=true" in refused.text
    assert renumbered.of("Fleet has a plan")["hosts"]["spoke-1"]["addresses"] == ["10.99.0.4"]


def test_every_plan_of_the_shipped_playbooks_gets_the_same_switches():
    options = []
    for name in ("site", "plan"):
        [play] = yaml.safe_load((CHECKOUT / "playbooks" / f"{name}.yml").read_text())
        options += [
            task["wirefleet.wireguard.wg_plan"] for task in play["tasks"] if "wirefleet.wireguard.wg_plan" in task
        ]

    switches = [{key: value for key, value in given.items() if key != "public_keys_register"} for given in options]

    assert all(given == switches[0] for given in switches)
    assert {"allow_degraded", "release_removed", "renumber"} <= set(switches[0])


def _plan_and_secret_tasks():
    [play] = yaml.safe_load((CHECKOUT / "playbooks" / "site.yml").read_text())
    names = [task["name"] for task in play["tasks"]]
    plan, last = names.index("Fleet has a plan"), names.index("Tunnel is configured as planned")
    tasks = play["tasks"][plan:last]
    tasks[0]["wirefleet.wireguard.wg_plan"].pop("public_keys_register")
    handed_over = play["tasks"][last]["vars"]["tunnel_config_preshared_secret_path"]
    return [*tasks, {"name": "role gets", "ansible.builtin.debug": {"msg": handed_over}}]


def test_preshared_keys_need_no_path_of_their_secret(fleet):
    fleet.add_keys()
    fleet.variables["wirefleet_preshared_keys"] = True
    secret = fleet.plan_dir / "preshared.secret"

    predicted = fleet.run(_plan_and_secret_tasks(), "--check")
    assert predicted.code == 0, predicted.text
    assert not secret.exists()
    outcome = fleet.run(_plan_and_secret_tasks())
    again = fleet.run(_plan_and_secret_tasks())

    assert outcome.code == 0, outcome.text
    assert {result["msg"] for result in outcome.results["role gets"].values()} == {str(secret)}
    assert secret.stat().st_mode & 0o777 == 0o600
    assert (secret.parent / ".gitignore").read_text() == "*\n"
    assert {stats["changed"] for stats in again.stats.values()} == {0}


def test_a_fleet_without_preshared_keys_has_a_secret_too_for_its_hubs(fleet):
    fleet.add_keys()

    outcome = fleet.run(_plan_and_secret_tasks())

    secret = fleet.plan_dir / "preshared.secret"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert {result["msg"] for result in outcome.results["role gets"].values()} == {str(secret)}


def test_a_secret_elsewhere_gets_no_files_beside_it(fleet):
    fleet.add_keys()
    secret = fleet.root / "vault" / "secret"
    fleet.variables |= {"wirefleet_preshared_keys": True, "wirefleet_preshared_secret_path": str(secret)}

    outcome = fleet.run(_plan_and_secret_tasks())

    assert {result["msg"] for result in outcome.results["role gets"].values()} == {str(secret)}
    assert [path.name for path in secret.parent.iterdir()] == ["secret"]


def test_site_refuses_a_fleet_that_cannot_be_planned_before_it_touches_a_host(fleet):
    fleet.hosts["spokes"]["spoke-1"] = {"wirefleet_site_prefixes": ["10.86.0.0/25"]}

    refused = fleet.run([], playbook=CHECKOUT / "playbooks" / "site.yml")

    assert refused.code != 0
    assert "collides with the overlay" in refused.text
    assert set(refused.results) == {"Fleet can be planned, before any host is touched"}
    assert fleet.files() == {}


DRILL = CHECKOUT / "playbooks" / "failover_drill.yml"


def test_a_drill_on_a_real_fleet_needs_a_yes(fleet):
    fleet.add_keys()

    outcome = fleet.run([], playbook=DRILL)

    assert outcome.code != 0
    assert "add -e wirefleet_confirm_drill=yes" in outcome.text
    assert "hub-1, hub-2, hub-3" in outcome.text
    assert "Drill is made" not in outcome.results


def test_a_drill_on_a_real_fleet_makes_no_faults_that_it_cannot_make_there(fleet):
    fleet.add_keys()

    outcome = fleet.run(
        [], "-e", "wirefleet_confirm_drill=yes", "-e", "wirefleet_drill_kinds=drain,blackhole", playbook=DRILL
    )

    assert outcome.code != 0
    assert "not blackhole" in outcome.text


def test_a_drill_in_check_mode_needs_no_yes_and_does_nothing(fleet):
    fleet.add_keys()

    outcome = fleet.run([], "--check", playbook=DRILL)

    assert outcome.code == 0, outcome.text
    assert not any("agent_drain" in task for task in outcome.results)


@pytest.mark.parametrize("playbook", ["site", "verify", "decommission"])
def test_a_host_without_an_agent_is_never_connected_to(fleet, playbook):
    """It ends before the first task that would need a host; those before run on the controller."""
    fleet.add_keys()
    fleet.hosts["spokes"]["spoke-1"]["wirefleet_agent"] = False
    fleet.hosts["spokes"]["spoke-1"]["ansible_connection"] = "ssh"
    fleet.hosts["spokes"]["spoke-1"]["ansible_host"] = "192.0.2.99"

    outcome = fleet.run(
        [],
        "--limit",
        "spoke-1",
        "-e",
        "wirefleet_confirm_decommission=spoke-1",
        playbook=CHECKOUT / "playbooks" / f"{playbook}.yml",
    )

    assert outcome.code == 0, outcome.text
    said = outcome.stats.get("spoke-1", {"unreachable": 0, "failures": 0})  # verify.yml has nothing to say of it
    assert said["unreachable"] == said["failures"] == 0
