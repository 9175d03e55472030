# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager
from ansible_collections.wirefleet.wireguard.plugins.module_utils.problems import PlanError
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.fleet_inventory import (
    default_paths,
    holds_template,
    hosts_within_limit,
    plain,
    read_fleet_variables,
)

HOSTS = """
[hubs]
hub-1 wirefleet_endpoint='{{ ansible_host }}' ansible_host=192.0.2.1
hub-2 wirefleet_region=us
[spokes]
spoke-1
spoke-2 wirefleet_mtu=1300
[spokes:vars]
wirefleet_mtu=1400
[others]
printer
"""


@pytest.fixture
def inventory(tmp_path):
    def make(text=HOSTS, **files):
        (tmp_path / "hosts.ini").write_text(text)
        for name, content in files.items():
            path = tmp_path / f"{name.replace('__', '/')}.yml"
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)
        loader = DataLoader()
        loader.set_basedir(str(tmp_path))
        manager = InventoryManager(loader, sources=[str(tmp_path / "hosts.ini")])
        variables = VariableManager(loader, manager)
        task_vars = {"groups": manager.get_groups_dict(), "hostvars": HostVars(manager, variables, loader)}
        return task_vars, loader, manager, variables

    return make


def test_both_groups_are_read_and_no_other_host(inventory):
    task_vars, loader, _manager, _variables = inventory()

    read = read_fleet_variables(task_vars, loader, "hubs", "spokes")

    assert (read.hubs, read.spokes) == (["hub-1", "hub-2"], ["spoke-1", "spoke-2"])
    assert set(read.variables) == {"hub-1", "hub-2", "spoke-1", "spoke-2"}
    assert read_fleet_variables(task_vars, loader, "hubs", "none").spokes == []


def test_precedence_is_ansibles_own(inventory):
    task_vars, loader, _manager, variables = inventory(
        group_vars__all="wirefleet_mtu: 1\nwirefleet_port: 1\nwirefleet_weight: 1\n",
        group_vars__spokes="wirefleet_port: 2\nwirefleet_weight: 2\n",
        **{"host_vars__spoke-1": "wirefleet_weight: 3\n"},
    )
    variables.set_nonpersistent_facts("spoke-2", {"wirefleet_weight": 4})

    read = read_fleet_variables(task_vars, loader, "hubs", "spokes").variables

    assert read["hub-2"]["wirefleet_mtu"] == 1
    # group_vars/all wins over the inventory's own group variables: that is what Ansible does.
    assert read["spoke-1"] == {"wirefleet_mtu": 1, "wirefleet_port": 2, "wirefleet_weight": 3}
    assert read["spoke-2"] == {"wirefleet_mtu": 1300, "wirefleet_port": 2, "wirefleet_weight": 4}


def test_templates_are_evaluated_in_the_context_of_their_host(inventory):
    task_vars, loader, _manager, _variables = inventory(
        group_vars__all='wirefleet_site_prefixes: ["{{ inventory_hostname }}"]\nwirefleet_port: "{{ base + 1 }}"\n',
        group_vars__hubs="base: 7\n",
        group_vars__spokes="base: 8\n",
    )

    read = read_fleet_variables(task_vars, loader, "hubs", "spokes").variables

    assert read["hub-1"]["wirefleet_endpoint"] == "192.0.2.1"
    assert read["spoke-2"]["wirefleet_site_prefixes"] == ["spoke-2"]
    assert read["hub-2"]["wirefleet_port"] == 8


def test_values_are_plain_whatever_ansible_made_of_them(inventory):
    task_vars, loader, _manager, _variables = inventory(group_vars__all="wirefleet_regions: [eu, {a: 1.5, b: null}]\n")

    value = read_fleet_variables(task_vars, loader, "hubs", "spokes").variables["hub-2"]

    assert value["wirefleet_region"].__class__ is str
    assert value["wirefleet_regions"].__class__ is list
    assert value["wirefleet_regions"] == ["eu", {"a": 1.5, "b": None}]
    assert value["wirefleet_regions"][0].__class__ is str


def test_a_template_that_fails_names_the_host_and_the_variable(inventory):
    task_vars, loader, _manager, _variables = inventory(group_vars__spokes='wirefleet_endpoint: "{{ nowhere }}"\n')

    with pytest.raises(PlanError) as caught:
        read_fleet_variables(task_vars, loader, "hubs", "spokes")

    assert "wirefleet_endpoint: the template cannot be evaluated" in str(caught.value)
    assert "spoke-1" in str(caught.value)
    assert "spoke-2" in str(caught.value)


def test_registered_keys_are_read_without_a_template(inventory):
    task_vars, loader, _manager, variables = inventory()
    variables.set_nonpersistent_facts("spoke-1", {"key": {"public_key": "KEY=", "changed": False}})
    variables.set_nonpersistent_facts("spoke-2", {"key": {"failed": True}})
    variables.set_nonpersistent_facts("hub-1", {"key": "something else"})

    read = read_fleet_variables(task_vars, loader, "hubs", "spokes", "key")

    assert read.public_keys == {"spoke-1": "KEY="}


def test_variables_that_are_none_of_the_planners_are_not_even_read(inventory):
    others = "wirefleet_preshared_secret_path: '{{ nowhere }}'\nwirefleet_password: '{{ nowhere }}'\n"
    task_vars, loader, _manager, _variables = inventory(group_vars__all=others)

    read = read_fleet_variables(task_vars, loader, "hubs", "spokes")

    assert read.variables["spoke-1"] == {"wirefleet_mtu": 1400}


def test_the_plan_lies_beside_the_first_hubs_inventory(inventory, tmp_path):
    task_vars, _loader, _manager, _variables = inventory()

    assert default_paths(task_vars) == (f"{tmp_path}/.wirefleet", f"{tmp_path}/wirefleet.lock.json")
    with pytest.raises(PlanError, match="the inventory is in no directory"):
        default_paths({**task_vars, "groups": {}})


def test_limit_is_known(inventory):
    task_vars, _loader, manager, _variables = inventory()
    manager.subset("spoke-1:hubs")

    assert hosts_within_limit(task_vars) == {"spoke-1", "hub-1", "hub-2"}


def test_whatever_might_hold_a_template_is_told_from_what_cannot():
    assert holds_template("{{ x }}")
    assert holds_template(["a", {"b": "{% if %}"}])
    assert holds_template(object())
    assert not holds_template(["a", {"b": 1}, None, 2.5, True])


def test_plain_values_keep_their_kind():
    class Odd:
        def __str__(self):
            return "odd"

    assert plain({1: (True, 2, 2.5, None, Odd())}) == {"1": [True, 2, 2.5, None, "odd"]}


@pytest.mark.parametrize(
    ("variables", "platform"),
    [
        ("", None),
        ("ansible_connection=winrm", "windows"),
        ("ansible_connection=ansible.builtin.psrp", "windows"),
        ("ansible_connection=ssh ansible_shell_type=powershell", "windows"),
        ("ansible_shell_type=cmd", "windows"),
        ("ansible_connection=ssh ansible_shell_type=sh", None),
        ("ansible_connection=winrm wirefleet_platform=linux", "linux"),
        ("wirefleet_platform=windows", "windows"),
        ("ansible_connection='{{ nobody_knows }}'", None),
        ("ansible_connection='{{ how }}' how=winrm", "windows"),
    ],
)
def test_platform_of_a_host_is_said_or_guessed_from_its_connection(inventory, variables, platform):
    task_vars, loader, _manager, _variables = inventory(f"[hubs]\nhub-1 {variables}\n")

    read = read_fleet_variables(task_vars, loader, "hubs", "spokes").variables["hub-1"]

    assert read.get("wirefleet_platform") == platform
    assert "ansible_connection" not in read
