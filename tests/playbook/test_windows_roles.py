# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The roles that only Windows hosts need, as far as they need no host."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest
import yaml
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.windows_names import (
    AV_EXCLUSIONS_KEY,
    REGISTRY_KEY,
    program_rules,
)

CHECKOUT = Path(__file__).resolve().parents[2]
ROLES = CHECKOUT / "roles"
PROGRAM = "C:\\Program Files\\WireFleet\\releases\\0.2.0\\python.exe"
AGENT = {"program": PROGRAM, "root": "C:\\Program Files\\WireFleet"}


def variables_of(role: str) -> dict[str, object]:
    """Defaults and internal variables of a role, as facts of a play that has no host to talk to."""
    texts = [(ROLES / role / name / "main.yml").read_text() for name in ("defaults", "vars")]
    return {key: value for text in texts for key, value in yaml.safe_load(text).items()}


def shown(fleet, role: str, names: list[str], host: str = "hub-1", **given: object) -> dict[str, object]:
    """What the role's variables are for one host."""
    task = {
        "name": "show",
        "ansible.builtin.debug": {"msg": {name: "{{ " + name + " }}" for name in names}},
        "vars": {**variables_of(role), **given},
    }
    outcome = fleet.run([task], hosts=host)
    assert outcome.code == 0, outcome.text
    return outcome.of("show")["msg"]


def scripts() -> dict[str, str]:
    """Every use of win_powershell: its task's name and its script."""
    found: dict[str, str] = {}
    for path in sorted(ROLES.glob("*/*/*.yml")) + sorted((CHECKOUT / "playbooks").glob("*.yml")):
        document = yaml.safe_load(path.read_text())
        tasks = document if isinstance(document, list) else []
        found.update(
            {
                task["name"]: task["ansible.windows.win_powershell"]["script"]
                for task in tasks
                if "ansible.windows.win_powershell" in task
            }
        )
    return found


def test_rules_bound_to_a_program_have_the_names_that_an_upgrade_looks_for(fleet):
    rules = shown(fleet, "firewall", ["__firewall_rules"], __firewall_agent=AGENT, firewall_tunnel="上海-01")

    bound = [rule["name"] for rule in rules["__firewall_rules"] if "program" in rule]
    assert tuple(bound) == program_rules("上海-01")


def test_overlay_alone_may_ping_and_each_family_has_its_own_rule(fleet):
    [udp, heartbeat, cluster, ipv4, ipv6] = shown(fleet, "firewall", ["__firewall_rules"], __firewall_agent=AGENT)[
        "__firewall_rules"
    ]

    assert (udp["remoteip"], udp["localport"], udp["program"], udp["service"]) == (
        "any",
        "51820",
        PROGRAM,
        "wirefleet-wf0",
    )
    assert heartbeat["remoteip"] == "10.86.0.0/24,fd86::/64"
    assert cluster["is_wanted"] is False
    assert (ipv4["remoteip"], ipv4["icmp_type_code"]) == ("10.86.0.0/24", ["8:*"])
    assert (ipv6["remoteip"], ipv6["icmp_type_code"]) == ("fd86::/64", ["128:*"])


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, [True, True, False, True, True]),
        ({"firewall_ping": False}, [True, True, False, False, False]),
        ({"firewall_heartbeat_port": 0}, [True, False, False, True, True]),
        ({"firewall_cluster_peers": ["10.86.0.2"]}, [True, True, True, True, True]),
        ({"firewall_overlay_prefixes": "10.86.0.0/24, 10.87.0.0/24"}, [True, True, False, True, False]),
        ({"firewall_overlay_prefixes": ["fd86::/64"]}, [True, True, False, False, True]),
    ],
)
def test_rules_that_nobody_wants_are_absent(fleet, given, wanted):
    rules = shown(fleet, "firewall", ["__firewall_rules"], __firewall_agent=AGENT, **given)["__firewall_rules"]

    assert [rule["is_wanted"] for rule in rules] == wanted
    # The module makes a rule of its arguments even where it only removes one: 0 is no port that Windows has to take.
    assert "0" not in [rule.get("localport") for rule in rules]


def test_the_hubs_alone_reach_each_others_state_as_the_plan_knows_them(fleet):
    fleet.add_keys()
    planned = fleet.run([{"name": "plan", "wirefleet.wireguard.wg_plan": {}, "run_once": True}], hosts="hub-1")
    assert planned.code == 0, planned.text

    by_host = {
        host: shown(fleet, "firewall", ["__firewall_rules"], host, __firewall_agent=AGENT)["__firewall_rules"][2]
        for host in ("hub-2", "spoke-1")
    }

    rule = by_host["hub-2"]
    assert (rule["name"], rule["protocol"], rule["localport"]) == ("WireFleet wf0: cluster (TCP in)", "tcp", "51822")
    assert (rule["remoteip"], rule["program"], rule["is_wanted"]) == ("10.86.0.1,10.86.0.3", PROGRAM, True)
    assert by_host["spoke-1"]["is_wanted"] is False


@pytest.mark.parametrize("role", ["firewall", "av_exclusions"])
def test_linux_hosts_are_left_alone_and_never_connected_to(fleet, role):
    include = {"name": "role", "ansible.builtin.include_role": {"name": f"wirefleet.wireguard.{role}"}}

    outcome = fleet.run([include], hosts="hub-1")

    assert outcome.code == 0, outcome.text
    assert outcome.stats["hub-1"]["changed"] == 0


def test_rules_for_a_strict_linux_host_are_shown_when_asked_for(fleet):
    variables = {"firewall_show_linux_rules": True}
    include = {
        "name": "role",
        "ansible.builtin.include_role": {"name": "wirefleet.wireguard.firewall"},
        "vars": variables,
    }

    said = fleet.run([include], hosts="hub-1").text

    assert "udp dport 51820 accept" in said
    assert 'iifname \\"wf0\\" icmp type echo-request accept' in said


def test_exclusions_are_as_narrow_as_the_scanner_allows_and_spare_the_keys(fleet):
    names = ["__av_exclusions_processes", "__av_exclusions_paths", "__av_exclusions_until"]

    found = shown(fleet, "av_exclusions", names, __av_exclusions_agent=AGENT)

    assert found["__av_exclusions_processes"] == [PROGRAM]
    folders = ("releases\\0.2.0", "config", "logs")
    assert found["__av_exclusions_paths"] == [f"{AGENT['root']}\\{folder}" for folder in folders]
    days = datetime.date.fromisoformat(found["__av_exclusions_until"]) - datetime.datetime.now(datetime.UTC).date()
    assert 89 <= days.days <= 90


def record(until: str, processes: list[str]) -> dict[str, object]:
    exclusions = json.dumps({"processes": processes, "paths": []})
    values = {"Until": {"value": until}, "Exclusions": {"value": exclusions}}
    return {"exists": True, "properties": values}


@pytest.mark.parametrize(
    ("until", "given", "is_expired"),
    [
        ("2999-01-01", {}, False),
        ("2020-01-01", {}, True),
        ("2020-01-01", {"av_exclusions_until": "2999-01-01"}, False),
        ("2999-01-01", {"av_exclusions_until": "2020-01-01"}, True),
        ("2020-01-01", {"av_exclusions_state": "absent"}, False),
    ],
)
def test_date_on_the_host_decides_unless_the_operator_names_another(fleet, until, given, is_expired):
    names = ["__av_exclusions_is_expired", "__av_exclusions_is_wanted", "__av_exclusions_report"]
    given = {"__av_exclusions_agent": AGENT, "__av_exclusions_record": record(until, ["x"]), **given}

    found = shown(
        fleet,
        "av_exclusions",
        names,
        __av_exclusions_defender={"output": [{"present": True, "running": True}]},
        **given,
    )

    assert found["__av_exclusions_is_expired"] is is_expired
    assert found["__av_exclusions_is_wanted"] is (not is_expired and given.get("av_exclusions_state") != "absent")
    assert any("expired" in line for line in found["__av_exclusions_report"]) is is_expired


def test_what_is_written_down_and_not_wanted_any_more_is_stale(fleet):
    given = {"__av_exclusions_agent": AGENT, "__av_exclusions_record": record("2999-01-01", ["old", "older"])}

    found = shown(fleet, "av_exclusions", ["__av_exclusions_stale_processes"], **given)

    assert found == {"__av_exclusions_stale_processes": ["old", "older"]}


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ({"present": False, "running": False}, "not there"),
        ({"present": True, "running": False}, "does not run"),
        ({"present": True, "running": True, "tamper_protected": True}, "Tamper Protection"),
        ({"present": True, "running": True, "merge_disabled": True}, "DisableLocalAdminMerge"),
        ({"present": True, "running": True, "hidden": True}, "hides"),
    ],
)
def test_whatever_stands_against_exclusions_is_reported(fleet, status, word):
    given = {"__av_exclusions_agent": AGENT, "__av_exclusions_defender": {"output": [status]}}

    found = shown(fleet, "av_exclusions", ["__av_exclusions_report"], **given)

    assert len(found["__av_exclusions_report"]) == 1
    assert word in found["__av_exclusions_report"][0]


def test_what_removes_the_agent_knows_where_exclusions_are_written_down():
    assert variables_of("av_exclusions")["__av_exclusions_key"] == f"{REGISTRY_KEY}\\{AV_EXCLUSIONS_KEY}"


def test_every_powershell_script_is_listed_with_its_reason():
    documented = (CHECKOUT / "docs" / "windows-support.md").read_text(encoding="utf-8")

    assert len(scripts()) == 3
    assert all(name in documented for name in scripts())


def test_no_powershell_file_and_no_template_in_a_script():
    assert not [*(CHECKOUT / "plugins").rglob("*.ps*1"), *ROLES.rglob("*.ps*1")]
    assert all("{{" not in script and "Invoke-Expression" not in script for script in scripts().values())


def test_every_role_and_module_says_what_it_needs_in_the_list_of_stand_ins():
    used = {
        key
        for path in sorted(ROLES.glob("*/tasks/*.yml"))
        for task in yaml.safe_load(path.read_text()) or []
        for key in task
        if key.startswith(("ansible.windows.", "community.windows."))
    }

    assert used == {
        "ansible.windows.win_powershell",
        "ansible.windows.win_reg_stat",
        "ansible.windows.win_regedit",
        "community.windows.win_firewall_rule",
    }
