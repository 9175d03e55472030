# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The actions against what the real agent answers: the golden files that the agent's own tests make and compare."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.wirefleet.wireguard.plugins.action.agent_config import ActionModule as Config
from ansible_collections.wirefleet.wireguard.plugins.action.agent_drain import ActionModule as Drain
from ansible_collections.wirefleet.wireguard.plugins.action.agent_health import ActionModule as Health
from ansible_collections.wirefleet.wireguard.plugins.action.agent_info import ActionModule as Info
from ansible_collections.wirefleet.wireguard.plugins.action.agent_key import ActionModule as Key
from ansible_collections.wirefleet.wireguard.plugins.action.agent_peer import ActionModule as Peer
from ansible_collections.wirefleet.wireguard.plugins.action.tunnel_service import ActionModule as Service
from ansible_collections.wirefleet.wireguard.plugins.plugin_utils.agent_reply import AgentError, parse_reply

FILES = sorted((Path(__file__).resolve().parents[4] / "tests" / "contract" / "agent_cli").glob("*.json"))
EXIT_CODES = {"usage": 2, "invalid_config": 3, "not_reachable": 4, "refused": 5}


def golden(name: str) -> dict:
    return json.loads((FILES[0].parent / f"{name}.json").read_text(encoding="utf-8"))


def raw_result(case: dict) -> dict:
    """What the command module makes of the agent's answer."""
    failed = {"failed": True, "msg": "non-zero return code"} if case["exit_code"] else {}
    return {"rc": case["exit_code"], "stdout": json.dumps(case["stdout"]), "stderr": "", **failed}


def answering(host, name: str) -> dict:
    """Let the fake host answer the file's call as the agent does; returns the file."""
    case = golden(name)
    words = tuple(word for word in case["argv"] if not word.startswith("-") and word != "wf0")
    host.replies[words[:2] if words[0] != "health" else ("health",)] = {"raw": raw_result(case)}
    return case


def test_there_is_a_contract_to_read():
    assert len(FILES) > 30


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_answer_is_understood(path):
    case = json.loads(path.read_text(encoding="utf-8"))
    if case["exit_code"] == 0:
        assert parse_reply(raw_result(case), "agent") == case["stdout"]
        return

    with pytest.raises(AgentError) as caught:
        parse_reply(raw_result(case), "agent")

    error = case["stdout"]["error"]
    assert caught.value.code == error["code"]
    assert EXIT_CODES.get(error["code"], 1) == case["exit_code"]
    assert error["message"].split(" (and ")[0] in caught.value.as_result()["msg"]


def test_new_key_becomes_a_changed_task(host, run_action):
    case = answering(host, "key_ensure_creates")

    result = run_action(Key, {})

    assert result["changed"] is True
    assert result["public_key"] == case["stdout"]["public_key"]
    assert result["identity"] == case["stdout"]["identity"]


def test_request_of_the_action_is_the_one_of_the_contract(host, run_action):
    case = answering(host, "config_apply_pending")

    result = run_action(Config, dict(case["stdin"]), diff=True)

    assert host.stdin_of("config apply") == case["stdin"]
    assert host.calls[0].argv[3:] == case["argv"]
    assert result["confirm_id"] == case["stdout"]["confirm_id"]
    assert result["diff"]["after"] == case["stdout"]["diff"]["after"]


def test_every_error_of_a_configuration_is_shown(host, run_action):
    case = golden("config_check_invalid")
    host.replies[("config", "apply")] = {"raw": raw_result(case)}

    result = run_action(Config, dict(case["stdin"]), check_mode=True)

    assert result["failed"] is True
    for error in case["stdout"]["error"]["errors"]:
        assert error["path"] in result["msg"]
        assert error["message"] in result["msg"]


def test_confirmation_is_the_request_of_the_contract(host, run_action):
    case = answering(host, "config_confirm")

    assert run_action(Config, {"state": "confirmed", "confirm_id": "<CONFIRM_ID>"})["changed"] is True
    assert host.stdin_of("config confirm") == case["stdin"]


def test_silent_peer_fails_the_task_and_is_named(host, run_action):
    case = answering(host, "health_silent")

    result = run_action(Health, {})

    assert result["failed"] is True
    assert "hub-2" in result["msg"]
    assert result["peers"] == case["stdout"]["peers"]


@pytest.mark.parametrize("name", ["status_running", "status_not_running", "status_waiting"])
def test_status_is_returned_whole(host, run_action, name):
    case = answering(host, name)
    host.replies = {("status",): next(iter(host.replies.values()))}

    assert run_action(Info, {})["status"] == case["stdout"]


def test_converged_service_is_recognised(host, run_action):
    releases = golden("release_list")
    status = golden("status_running")
    status["stdout"]["release"] = releases["stdout"]["current"]
    host.replies[("release", "list")] = {"raw": raw_result(releases)}
    host.replies[("status",)] = {"raw": raw_result(status)}

    result = run_action(Service, {"root": "/srv/lab"})

    assert result["changed"] is False
    assert result["release"] == "0.2.0"
    assert result["running"] is True


@pytest.mark.parametrize("name", ["drain_wait", "drain_last"])
def test_hub_that_cannot_be_drained_stays_and_the_reason_is_the_agents(host, run_action, name):
    case = golden(name)
    host.replies[("drain",)] = {"raw": raw_result(case)}

    result = run_action(Drain, {"state": "draining"})

    assert result["failed"] is True
    assert not result.get("changed")
    assert case["stdout"]["error"]["message"] in result["msg"]


def test_words_of_a_revocation_and_a_placement_are_those_of_the_contract(host, run_action):
    for name, state in (("peer_revoke", "revoked"), ("peer_place", "placed")):
        case = golden(name)
        host.replies[("peer",)] = {"raw": raw_result(case)}
        verb = [word for word in case["argv"] if word not in ("--tunnel", "wf0", "--json")]
        given = dict(zip(verb[3::2], verb[4::2], strict=True))

        result = run_action(
            Peer,
            {"peer": verb[2], "state": state, "reason": given.get("--reason"), "hub": given.get("--hub")},
        )

        assert result.get("changed", False) is case["stdout"].get("changed", False)
        assert host.verbs()[-1].replace("=", " ").split() == " ".join(verb).replace("=", " ").split()


def test_status_of_a_cluster_becomes_part_of_the_hosts_and_its_absence_too(host, run_action):
    status, cluster = golden("status_running"), golden("cluster_status")
    host.replies[("cluster", "status")] = {"raw": raw_result(cluster)}
    host.replies[("status",)] = {"raw": raw_result(status)}
    there = run_action(Info, {"cluster": True})["status"]["cluster"]
    host.replies[("cluster", "status")] = {"raw": raw_result(golden("cluster_status_none"))}
    absent = run_action(Info, {"cluster": True})["status"]["cluster"]

    assert there == cluster["stdout"]
    assert {"has_quorum", "leader", "members", "problem", "is_draining", "overrides"} <= there.keys()
    assert absent is None
