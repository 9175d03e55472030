# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.wirefleet.wireguard.plugins.action.agent_health import ActionModule as Health
from ansible_collections.wirefleet.wireguard.plugins.action.agent_info import ActionModule as Info

SILENT = {"public_key": "AAA=", "name": "hub-2", "ok": False, "last_handshake_age_s": None}
WELL = {"public_key": "BBB=", "name": "hub-1", "ok": True, "last_handshake_age_s": 3.5}
UNREACHABLE = {
    "error": {"code": "not_reachable", "message": "no fresh handshake with hub-2", "path": None, "hint": "wait"},
    "healthy": False,
    "waited_s": 30.0,
    "peers": [WELL, SILENT],
}


def test_health_waits_with_the_time_limit_and_the_named_peers(host, run_action):
    host.replies[("health",)] = {"healthy": True, "waited_s": 0.4, "peers": [WELL]}

    result = run_action(Health, {"timeout_s": 7, "peers": ["BBB="]})

    assert host.verbs() == ["health --wait --timeout 7"]
    assert host.stdin_of("health") == {"peers": ["BBB="], "max_handshake_age_s": 180}
    assert result == {"changed": False, "healthy": True, "waited_s": 0.4, "peers": [WELL], "has_quorum": None}


def test_silent_peers_are_named_in_the_failure(host, run_action):
    host.replies[("health",)] = UNREACHABLE

    result = run_action(Health, {})

    assert result["failed"] is True
    assert "hub-2" in result["msg"]
    assert "hub-1" not in result["msg"]
    assert result["peers"] == [WELL, SILENT]


def test_nobody_to_wait_for_is_no_call(host, run_action):
    assert run_action(Health, {"peers": []})["healthy"] is True
    assert host.calls == []


def test_quorum_is_asked_for_without_any_peer(host, run_action):
    host.replies[("health",)] = UNREACHABLE | {"peers": [], "has_quorum": False}

    result = run_action(Health, {"peers": [], "quorum": True})

    assert host.stdin_of("health") == {"peers": [], "quorum": True, "max_handshake_age_s": 180}
    assert (result["failed"], result["has_quorum"]) == (True, False)


def test_check_mode_looks_once_and_does_not_fail_for_silence(host, run_action):
    host.replies[("health",)] = UNREACHABLE

    result = run_action(Health, {}, check_mode=True)

    assert host.verbs() == ["health --timeout 30"]
    assert result["healthy"] is False
    assert "failed" not in result


def test_check_mode_still_fails_for_a_refusal(host, run_action):
    host.replies[("health",)] = {"error": {"code": "usage", "message": "no such peer", "path": None, "hint": None}}

    assert run_action(Health, {}, check_mode=True)["failed"] is True


def test_info_returns_the_status_under_its_own_key(host, run_action):
    host.replies[("status",)] = {"tunnel": "wf0", "running": True, "pid": 7}

    result = run_action(Info, {})

    status = {"tunnel": "wf0", "running": True, "pid": 7}
    assert result == {"changed": False, "installed": True, "status": status, "root": "/", "program": None}


def test_info_of_a_host_without_the_agent_is_a_state_not_a_failure(run_action):
    result = run_action(Info, {"tunnel": "wf7"})

    status = {"tunnel": "wf7", "running": False}
    assert result == {"changed": False, "installed": False, "status": status, "root": "/", "program": None}


def test_answer_that_is_no_document_is_a_failure_that_shows_what_was_said(host, run_action):
    host.replies[("status",)] = {
        "raw": {"rc": 1, "stdout": "", "stderr": "Traceback: boom", "msg": "non-zero return code"}
    }

    result = run_action(Info, {})

    assert result["error"]["code"] == "not_json"
    assert "boom" in result["msg"]


def test_cluster_is_asked_for_on_request_only_and_becomes_part_of_the_status(host, run_action):
    host.replies[("cluster", "status")] = {"has_quorum": True}
    host.replies[("status",)] = {"tunnel": "wf0", "running": True}

    assert "cluster" not in run_action(Info, {})["status"]
    assert run_action(Info, {"cluster": True})["status"]["cluster"] == {"has_quorum": True}


def test_host_outside_of_a_cluster_has_none_and_an_old_agent_is_not_judged(host, run_action):
    for code, expected in (("refused", {"cluster": None}), ("usage", {}), ("not_reachable", {})):
        host.replies[("cluster", "status")] = {"error": {"code": code, "message": "no", "path": "", "hint": ""}}
        host.replies[("status",)] = {"tunnel": "wf0", "running": True}

        status = run_action(Info, {"cluster": True})["status"]

        assert {key: value for key, value in status.items() if key == "cluster"} == expected


def test_agent_that_does_not_run_is_not_asked_for_the_cluster(host, run_action):
    host.replies[("status",)] = {"tunnel": "wf0", "running": False}

    run_action(Info, {"cluster": True})

    assert host.verbs() == ["status"]


def status_with(standing, **more):
    member = {"public_key": "AAA=", "name": "hub-1", "standing": standing, **more}
    return {"tunnel": "wf0", "running": True, "groups": [{"name": "hubs", "active": "AAA=", "members": [member]}]}


def test_status_is_asked_again_until_the_hubs_have_answered(host, run_action):
    host.replies[("status",)] = [status_with("gone"), status_with("gone"), status_with("held")]

    status = run_action(Info, {"settle_s": 15})["status"]

    assert status == status_with("held")
    assert host.slept == [1.0, 1.0]


def test_status_is_asked_again_until_the_gateways_of_sites_are_heard(host, run_action):
    unheard, heard = status_with("good"), status_with("good")
    unheard["groups"][0]["gateways"] = [{"public_key": "BBB=", "is_well": False}]
    heard["groups"][0]["gateways"] = [{"public_key": "BBB=", "is_well": True}]
    host.replies[("status",)] = [unheard, heard]

    assert run_action(Info, {"settle_s": 15})["status"] == heard
    assert host.slept == [1.0]


def test_hub_that_never_answers_is_waited_for_no_longer_than_allowed(host, run_action):
    host.replies[("status",)] = status_with("gone")

    assert run_action(Info, {"settle_s": 3})["status"] == status_with("gone")
    assert host.slept == [1.0, 1.0, 1.0]


def test_nobody_waits_in_check_mode_by_default_or_for_a_drained_hub(host, run_action):
    host.replies[("status",)] = status_with("gone")
    run_action(Info, {"settle_s": 3}, check_mode=True)
    run_action(Info, {})
    host.replies[("status",)] = status_with("gone", is_draining=True)
    run_action(Info, {"settle_s": 3})

    assert host.slept == []


def test_leader_of_the_cluster_is_waited_for(host, run_action):
    host.replies[("cluster", "status")] = [{"leader": None}, {"leader": {"name": "hub-2"}}]
    host.replies[("status",)] = {"tunnel": "wf0", "running": True}

    assert run_action(Info, {"cluster": True, "settle_s": 15})["status"]["cluster"]["leader"] == {"name": "hub-2"}
    assert host.slept == [1.0]
