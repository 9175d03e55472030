# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.errors import AnsibleError
from ansible_collections.wirefleet.wireguard.plugins.action.agent_peer import ActionModule

KEY = "3F0a1P9PmnJBRw9Zxs0Qx2Zl4xXc0wN1lwHn0Z8qKVA="
REVOKED = {"peer": "spoke-17", "state": "revoked", "reason": "stolen, ticket 4711"}


def test_peer_is_revoked_with_a_reason(host, run_action):
    host.replies[("peer", "revoke")] = {"changed": True}

    result = run_action(ActionModule, REVOKED, diff=True)

    assert host.calls[0].argv[-4:] == ["peer", "revoke", "spoke-17", "--reason=stolen, ticket 4711"]
    assert result["changed"] is True
    assert result["diff"]["before"] == "spoke-17: accepted\n"
    assert result["diff"]["after"] == "spoke-17: revoked\n"


def test_peer_is_restored_by_its_key(host, run_action):
    host.replies[("peer", "restore")] = {"changed": False}

    result = run_action(ActionModule, {"peer": KEY, "state": "restored"}, diff=True)

    assert host.verbs() == [f"peer restore {KEY}"]
    assert result["changed"] is False
    assert "diff" not in result


def test_check_mode_asks_the_agent_to_change_nothing(host, run_action):
    host.replies[("peer", "revoke")] = {"changed": True}

    assert run_action(ActionModule, REVOKED, check_mode=True)["changed"] is True
    assert "--check" in host.calls[0].argv


@pytest.mark.parametrize("peer", ["--planned", "-h", "", "two words", "../x", KEY[:-1] + "*"])
def test_what_is_neither_a_name_nor_a_key_never_reaches_the_command_line(host, run_action, peer):
    result = run_action(ActionModule, {**REVOKED, "peer": peer})

    assert result["failed"] is True
    assert host.calls == []


@pytest.mark.parametrize("reason", [" ", "a\nb", "x" * 201, "\x1b[31m"])
def test_reason_is_a_short_line(host, run_action, reason):
    result = run_action(ActionModule, {**REVOKED, "reason": reason})

    assert result["error"]["path"] == "reason"
    assert host.calls == []


def test_revocation_needs_a_reason(run_action):
    with pytest.raises(AnsibleError, match="reason"):
        run_action(ActionModule, {"peer": "spoke-17", "state": "revoked"})


def test_hubs_without_a_quorum_refuse(host, run_action):
    error = {"code": "no_quorum", "message": "too few hubs reach each other", "path": "", "hint": "cluster status"}
    host.replies[("peer", "revoke")] = {"error": error}

    result = run_action(ActionModule, REVOKED)

    assert result["failed"] is True
    assert "too few hubs" in result["msg"]


def test_spoke_is_placed_at_a_hub_and_planned_again(host, run_action):
    host.replies[("peer", "place")] = {"changed": True}

    placed = run_action(ActionModule, {"peer": "spoke-1", "state": "placed", "hub": "hub-2"}, diff=True)
    run_action(ActionModule, {"peer": "spoke-1", "state": "planned"})

    assert host.verbs() == ["peer place spoke-1 --hub hub-2", "peer place spoke-1 --planned"]
    assert placed["diff"]["after"] == "spoke-1: placed\n"


def test_placement_needs_a_hub_that_is_a_name(host, run_action):
    with pytest.raises(AnsibleError, match="hub"):
        run_action(ActionModule, {"peer": "spoke-1", "state": "placed"})

    result = run_action(ActionModule, {"peer": "spoke-1", "state": "placed", "hub": "--planned"})

    assert result["error"]["path"] == "hub"
    assert host.calls == []
