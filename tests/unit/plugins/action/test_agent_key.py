# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import copy

import nacl.signing
import pytest
from ansible_collections.wirefleet.wireguard.plugins.action.agent_key import ActionModule

PUBLIC_KEY = "3F0a1P9PmnJBRw9Zxs0Qx2Zl4xXc0wN1lwHn0Z8qKVA="
IDENTITY = nacl.signing.SigningKey(bytes(range(32)))


def reply(tunnel="wf0"):
    """What an honest agent answers."""
    signed = b"wirefleet key v1\0" + tunnel.encode() + b"\0" + base64.b64decode(PUBLIC_KEY)
    identity = {
        "public_key": base64.b64encode(bytes(IDENTITY.verify_key)).decode(),
        "signature": base64.b64encode(IDENTITY.sign(signed).signature).decode(),
    }
    return {"changed": True, "tunnel": tunnel, "public_key": PUBLIC_KEY, "identity": identity}


REPLY = reply()
OTHER_KEY = base64.b64encode(bytes(range(1, 33))).decode()


def test_key_is_ensured_below_the_host_root_and_its_public_half_returned(host, run_action):
    host.replies[("key", "ensure")] = reply("wf1")

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

    run_action(ActionModule, {"root": "D:\\Apps\\WireFleet"})

    assert host.calls[0].module == "ansible.windows.win_command"
    assert host.calls[0].argv[0] == "D:\\Apps\\WireFleet\\wirefleet-agent.cmd"


@pytest.mark.parametrize("field", ["invocation", "stdout", "stderr", "rc", "cmd"])
def test_raw_result_of_the_command_module_is_never_merged(host, run_action, field):
    host.replies[("key", "ensure")] = REPLY

    assert field not in run_action(ActionModule, {})


@pytest.mark.parametrize(
    "changes",
    [
        {"public_key": OTHER_KEY},
        {"identity": None},
        {"identity": {"public_key": OTHER_KEY, "signature": REPLY["identity"]["signature"]}},
        {"identity": {"public_key": REPLY["identity"]["public_key"]}},
        {"identity": {**REPLY["identity"], "signature": "c2hvcnQ="}},
        {"identity": {**REPLY["identity"], "signature": "no base64"}},
        {"identity": {"public_key": 1, "signature": []}},
    ],
    ids=["key", "no identity", "other identity", "no signature", "short", "no base64", "no text"],
)
def test_key_that_the_identity_of_the_host_did_not_sign_is_refused(host, run_action, changes):
    host.replies[("key", "ensure")] = {**copy.deepcopy(REPLY), **changes}

    result = run_action(ActionModule, {})

    assert result["failed"] is True
    assert result["error"]["code"] == "bad_identity"
    assert "public_key" not in result


def test_signature_of_another_tunnel_is_refused(host, run_action):
    host.replies[("key", "ensure")] = reply("wf0")

    assert run_action(ActionModule, {"tunnel": "wf1"})["error"]["code"] == "bad_identity"


def test_check_mode_on_a_host_without_an_identity_is_no_failure(host, run_action):
    """The agent makes no identity in check mode."""
    host.replies[("key", "rotate")] = {**REPLY, "identity": None}

    assert "failed" not in run_action(ActionModule, {"state": "rotated"}, check_mode=True)
