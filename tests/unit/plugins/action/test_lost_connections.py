# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What agent_config and agent_health do when the change itself cuts the connection that it came over."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.wirefleet.wireguard.plugins.action import agent_config
from ansible_collections.wirefleet.wireguard.plugins.action.agent_config import ActionModule as Config
from ansible_collections.wirefleet.wireguard.plugins.action.agent_health import ActionModule as Health

CONF = "[Interface]\nListenPort = 51820\n"
LOST = AnsibleConnectionFailure("winrm connection error: read timed out")
IN_EFFECT = {"valid": True, "changed": False, "digest": "00ff", "changes": []}
NOT_IN_EFFECT = {**IN_EFFECT, "changed": True, "changes": [{"op": "set_mtu", "target": "1400"}]}
PENDING = {"digest": "00ff", "pending": True, "confirm_deadline_s": 90.0}
NOT_PENDING = {"digest": "00aa", "pending": False, "confirm_deadline_s": None}
REARMED = {**IN_EFFECT, "pending": True, "confirm_id": "id-2", "confirm_timeout_s": 120, "running": True}
APPLIED = {**REARMED, "changed": True, "changes": NOT_IN_EFFECT["changes"], "confirm_id": "id-1"}
WITH_TIMEOUT = {"conf": CONF, "confirm_timeout_s": 120}


def test_change_that_came_through_is_only_asked_for_its_id(host, run_action):
    host.replies[("config", "apply")] = [LOST, LOST, IN_EFFECT, REARMED]
    host.replies[("config", "show")] = PENDING

    result = run_action(Config, WITH_TIMEOUT)

    assert (result["changed"], result["pending"], result["confirm_id"]) == (True, True, "id-2")
    assert host.verbs()[2:] == ["--check config apply", "config show", "config apply"]
    assert host.resets == 2


def test_change_that_never_arrived_is_made(host, run_action):
    host.replies[("config", "apply")] = [LOST, NOT_IN_EFFECT, APPLIED]
    host.replies[("config", "show")] = NOT_PENDING

    result = run_action(Config, WITH_TIMEOUT)

    assert (result["changed"], result["confirm_id"]) == (True, "id-1")


def test_change_that_the_host_took_back_fails_by_name(host, run_action, monkeypatch):
    moments = iter([0.0, 130.0])
    monkeypatch.setattr(agent_config.time, "monotonic", lambda: next(moments, 130.0))
    host.replies[("config", "apply")] = [LOST, NOT_IN_EFFECT]
    host.replies[("config", "show")] = NOT_PENDING

    result = run_action(Config, WITH_TIMEOUT)

    assert (result["failed"], result["error"]["code"]) == (True, "reverted")


def test_configuration_that_had_been_there_before_is_no_change(host, run_action):
    host.replies[("config", "apply")] = [LOST, IN_EFFECT]
    host.replies[("config", "show")] = NOT_PENDING

    result = run_action(Config, WITH_TIMEOUT)

    assert (result["changed"], result["pending"], result["confirm_id"]) == (False, False, None)


def test_check_mode_does_not_wait_for_a_host_that_is_not_there(host, run_action):
    host.replies[("config", "apply")] = LOST

    with pytest.raises(AnsibleConnectionFailure):
        run_action(Config, WITH_TIMEOUT, check_mode=True)

    assert host.slept == []


def test_confirmation_that_came_through_before_the_loss_counts_as_a_change(host, run_action):
    host.replies[("config", "confirm")] = [LOST, {"changed": False, "digest": "00ff"}]

    result = run_action(Config, {"state": "confirmed", "confirm_id": "id-1"})

    assert (result["changed"], result["digest"]) == (True, "00ff")


def test_confirmation_that_comes_too_late_is_refused(host, run_action):
    late = {"error": {"code": "refused", "message": "too late", "path": "confirm_id", "hint": None}}
    host.replies[("config", "confirm")] = [LOST, late]

    assert run_action(Config, {"state": "confirmed", "confirm_id": "id-1"})["error"]["code"] == "refused"


def test_health_is_asked_again_while_the_tunnel_below_the_connection_comes_back(host, run_action):
    host.replies[("health",)] = [LOST, {"healthy": True, "waited_s": 1.0, "peers": []}]

    assert run_action(Health, {})["healthy"] is True
    assert host.resets == 1
