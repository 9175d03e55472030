# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.wirefleet.wireguard.plugins.action.agent_key import ActionModule

PUBLIC_KEY = "3F0a1P9PmnJBRw9Zxs0Qx2Zl4xXc0wN1lwHn0Z8qKVA="
REPLY = {
    "changed": True,
    "tunnel": "wf0",
    "public_key": PUBLIC_KEY,
    "identity": {"public_key": "aWRlbnRpdHk=", "signature": "c2lnbmF0dXJl"},
}


def test_key_is_ensured_below_the_host_root_and_its_public_half_returned(host, run_action):
    host.replies[("key", "ensure")] = REPLY

    result = run_action(ActionModule, {"root": "/srv/lab", "tunnel": "wf1"})

    assert result["changed"] is True
    assert result["public_key"] == PUBLIC_KEY
    assert host.calls[0].argv == [
        "/srv/lab/opt/wirefleet/current/bin/wirefleet-agent",
        *("--root", "/srv/lab", "--tunnel", "wf1", "--json", "key", "ensure"),
    ]


def test_rotation_is_another_verb(host, run_action):
    host.replies[("key", "rotate")] = REPLY

    assert run_action(ActionModule, {"state": "rotated"})["changed"] is True


def test_check_mode_asks_the_agent_to_change_nothing_and_still_runs_the_command(host, run_action):
    host.replies[("key", "ensure")] = REPLY

    run_action(ActionModule, {}, check_mode=True)

    assert "--check" in host.calls[0].argv
    assert host.calls[0].check_mode is False


def test_check_mode_before_the_installation_promises_a_key(run_action):
    result = run_action(ActionModule, {}, check_mode=True, diff=True)

    assert result["changed"] is True
    assert result["public_key"] is None
    assert "failed" not in result


def test_missing_agent_fails_with_what_to_do(run_action):
    result = run_action(ActionModule, {})

    assert result["failed"] is True
    assert result["error"]["code"] == "not_installed"
    assert "tunnel_service" in result["msg"]


def test_error_of_the_agent_becomes_message_path_and_hint(host, run_action):
    host.replies[("key", "ensure")] = {
        "error": {"code": "driver", "message": "no space left", "path": "/var/lib", "hint": "make room"}
    }

    result = run_action(ActionModule, {})

    assert result["msg"] == "/var/lib: no space left (make room)"
    assert result["error"]["code"] == "driver"


def test_windows_hosts_are_called_by_win_command_with_windows_paths(host, run_action):
    host.is_windows = True
    host.replies[("key", "ensure")] = REPLY

    run_action(ActionModule, {"root": "C:\\ProgramData\\WireFleet"})

    assert host.calls[0].module == "ansible.windows.win_command"
    assert host.calls[0].argv[0] == (
        "C:\\ProgramData\\WireFleet\\opt\\wirefleet\\current\\Scripts\\wirefleet-agent.exe"
    )


@pytest.mark.parametrize("field", ["invocation", "stdout", "stderr", "rc", "cmd"])
def test_raw_result_of_the_command_module_is_never_merged(host, run_action, field):
    host.replies[("key", "ensure")] = REPLY

    assert field not in run_action(ActionModule, {})
