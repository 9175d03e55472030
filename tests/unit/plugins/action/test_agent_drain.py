# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.wirefleet.wireguard.plugins.action.agent_drain import ActionModule

ERROR = {"code": "not_reachable", "message": "2 spokes still use this hub", "path": "", "hint": "is another hub well?"}


def test_drain_waits_for_the_spokes_and_tells_how_long(host, run_action):
    host.replies[("drain",)] = {"changed": True, "spokes": 0, "waited_s": 1.5}

    result = run_action(ActionModule, {"state": "draining", "timeout_s": 90}, diff=True)

    assert host.verbs() == ["drain --wait --timeout 90"]
    assert result["changed"] is True
    assert (result["draining"], result["spokes"], result["waited_s"]) == (True, 0, 1.5)
    assert result["diff"]["before"] == "state: active\n"
    assert result["diff"]["after"] == "state: draining\n"


def test_hub_that_is_drained_already_is_no_change(host, run_action):
    host.replies[("drain",)] = {"changed": False, "spokes": 0, "waited_s": 0.0}

    result = run_action(ActionModule, {"state": "draining"}, diff=True)

    assert result["changed"] is False
    assert "diff" not in result


def test_resume_gives_the_traffic_back(host, run_action):
    host.replies[("resume",)] = {"changed": True}

    result = run_action(ActionModule, {"state": "active"}, diff=True)

    assert host.verbs() == ["resume"]
    assert (result["changed"], result["draining"]) == (True, False)
    assert result["diff"]["after"] == "state: active\n"


@pytest.mark.parametrize(
    ("options", "verb"),
    [
        ({"state": "draining", "wait": False}, "drain"),
        ({"state": "draining", "wait": False, "local": True}, "drain --local"),
        ({"state": "active", "local": True}, "resume --local"),
    ],
)
def test_waiting_and_asking_others_may_be_left_out(host, run_action, options, verb):
    host.replies[(verb.split()[0],)] = {"changed": True}

    run_action(ActionModule, options)

    assert host.verbs() == [verb]


def test_check_mode_asks_what_would_be_and_waits_for_nobody(host, run_action):
    host.replies[("drain",)] = {"changed": True}

    result = run_action(ActionModule, {"state": "draining"}, check_mode=True)

    assert "--check" in host.calls[0].argv
    assert "--wait" not in host.calls[0].argv
    assert result["changed"] is True


def test_spokes_that_stay_fail_the_task_and_the_change_is_told_all_the_same(host, run_action):
    host.replies[("drain",)] = {"changed": True, "spokes": 2, "waited_s": 60.0, "error": ERROR}

    result = run_action(ActionModule, {"state": "draining"})

    assert result["failed"] is True
    assert (result["changed"], result["spokes"]) == (True, 2)
    assert "2 spokes still use this hub" in result["msg"]


@pytest.mark.parametrize("code", ["no_quorum", "refused"])
def test_refusal_changes_nothing_and_says_why(host, run_action, code):
    error = {"code": code, "message": "too few hubs", "path": "", "hint": "wirefleet-agent cluster status"}
    host.replies[("drain",)] = {"error": error}

    result = run_action(ActionModule, {"state": "draining"})

    assert result["failed"] is True
    assert result["error"]["code"] == code
    assert not result.get("changed")


def test_host_without_an_agent_cannot_be_drained_even_in_check_mode(run_action):
    assert run_action(ActionModule, {"state": "draining"}, check_mode=True)["error"]["code"] == "not_installed"
