# Copyright (c) 2026 WireFleet
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json
import os

import pytest
from ansible.errors import AnsibleError
from ansible_collections.wirefleet.wireguard.plugins.action.agent_config import ActionModule

OWN = base64.b64encode(bytes([1]) * 32).decode()
PEER = base64.b64encode(bytes([2]) * 32).decode()
SECRET = base64.b64encode(bytes([7]) * 32).decode()
REPLY = {
    "valid": True,
    "changed": True,
    "digest": "00ff",
    "changes": [{"op": "add_peer", "target": PEER}],
    "diff": {"before": "", "after": "[Interface]\nPrivateKey = SECRETKEY\n"},
    "pending": True,
    "confirm_id": "id-1",
    "confirm_timeout_s": 60,
    "running": True,
}
CONF = "[Interface]\nListenPort = 51820\n"


@pytest.fixture
def secret_path(tmp_path):
    path = tmp_path / "preshared.key"
    path.write_text(SECRET + "\n", encoding="ascii")
    os.chmod(path, 0o600)
    return path


def test_configuration_travels_on_stdin_and_the_reply_becomes_the_result(host, run_action):
    host.replies[("config", "apply")] = REPLY

    result = run_action(ActionModule, {"conf": CONF, "toml": "schema = 1\n", "confirm_timeout_s": 60})

    assert host.stdin_of("config apply") == {"conf": CONF, "toml": "schema = 1\n", "confirm_timeout_s": 60}
    assert result["confirm_id"] == "id-1"
    assert result["changes"] == REPLY["changes"]
    assert not any(CONF in word for word in host.calls[0].argv)


def test_call_is_hidden_from_the_logs_of_the_host(host, run_action):
    host.replies[("config", "apply")] = REPLY

    run_action(ActionModule, {"conf": CONF})

    assert host.calls[0].no_log is True


def test_key_of_the_cluster_is_derived_on_the_controller_and_shows_nowhere_in_the_result(host, run_action, secret_path):
    host.replies[("config", "apply")] = REPLY

    result = run_action(ActionModule, {"conf": CONF, "has_cluster": True, "preshared_secret_path": str(secret_path)})

    key = host.stdin_of("config apply")["cluster_key"]
    assert len(base64.b64decode(key)) == 32
    assert key not in json.dumps(result)
    assert not any(key in word for word in host.calls[0].argv)


def test_host_outside_of_the_cluster_gets_no_key_of_it(host, run_action, secret_path):
    host.replies[("config", "apply")] = REPLY

    run_action(ActionModule, {"conf": CONF, "preshared_secret_path": str(secret_path)})

    assert "cluster_key" not in host.stdin_of("config apply")


def test_cluster_without_a_secret_is_refused_before_anything_is_sent(host, run_action):
    result = run_action(ActionModule, {"conf": CONF, "has_cluster": True})

    assert result["failed"] is True
    assert "wirefleet_preshared_secret_path" in result["msg"]
    assert host.calls == []


def test_diff_is_shown_on_request_only_and_never_with_a_key(host, run_action):
    host.replies[("config", "apply")] = REPLY

    assert "diff" not in run_action(ActionModule, {"conf": CONF})
    shown = run_action(ActionModule, {"conf": CONF}, diff=True)["diff"]

    assert shown["after"] == "[Interface]\nPrivateKey = (redacted)\n"


def test_preshared_keys_are_derived_on_the_controller_and_show_nowhere_in_the_result(host, run_action, secret_path):
    host.replies[("config", "apply")] = REPLY
    options = {"conf": CONF, "public_key": OWN, "preshared_peers": [PEER], "preshared_secret_path": str(secret_path)}

    result = run_action(ActionModule, options, diff=True)

    derived = host.stdin_of("config apply")["preshared_keys"]
    assert list(derived) == [PEER]
    assert len(base64.b64decode(derived[PEER])) == 32
    assert derived[PEER] not in json.dumps(result)
    assert SECRET not in json.dumps(host.calls[0].arguments)


def test_both_ends_of_a_pair_derive_the_same_key(host, run_action, secret_path):
    host.replies[("config", "apply")] = REPLY
    keys = []
    for own, peer in ((OWN, PEER), (PEER, OWN)):
        options = {"conf": CONF, "public_key": own, "preshared_peers": [peer]}
        run_action(ActionModule, {**options, "preshared_secret_path": str(secret_path)})
        keys.append(host.stdin_of("config apply")["preshared_keys"][peer])

    assert keys[0] == keys[1]


def test_secret_that_others_may_read_is_refused(host, run_action, secret_path):
    os.chmod(secret_path, 0o644)

    result = run_action(
        ActionModule,
        {"conf": CONF, "public_key": OWN, "preshared_peers": [PEER], "preshared_secret_path": str(secret_path)},
    )

    assert result["failed"] is True
    assert "chmod 0600" in result["msg"]
    assert host.calls == []


def test_peers_without_a_secret_to_derive_from_are_refused(host, run_action):
    result = run_action(ActionModule, {"conf": CONF, "public_key": OWN, "preshared_peers": [PEER]})

    assert result["failed"] is True
    assert "wirefleet_preshared_secret_path" in result["msg"]


def test_secret_that_is_no_key_is_refused_without_repeating_it(run_action, secret_path):
    secret_path.write_text("not-a-key-at-all", encoding="ascii")

    result = run_action(
        ActionModule,
        {"conf": CONF, "public_key": OWN, "preshared_peers": [PEER], "preshared_secret_path": str(secret_path)},
    )

    assert result["failed"] is True
    assert "not-a-key-at-all" not in json.dumps(result)


def test_confirmation_sends_the_id(host, run_action):
    host.replies[("config", "confirm")] = {"changed": True, "digest": "00ff"}

    result = run_action(ActionModule, {"state": "confirmed", "confirm_id": "id-1"})

    assert result["changed"] is True
    assert host.stdin_of("config confirm") == {"confirm_id": "id-1"}


@pytest.mark.parametrize("confirm_id", ["", None])
def test_nothing_to_confirm_is_no_call_and_no_change(host, run_action, confirm_id):
    result = run_action(ActionModule, {"state": "confirmed", "confirm_id": confirm_id})

    assert result == {"changed": False}
    assert host.calls == []


def test_check_mode_before_the_installation_shows_the_redacted_configuration(run_action):
    result = run_action(ActionModule, {"conf": CONF + "PrivateKey = SECRETKEY\n"}, check_mode=True, diff=True)

    assert result["changed"] is True
    assert "ListenPort = 51820" in result["diff"]["after"]
    assert "SECRETKEY" not in json.dumps(result)


def test_unchanged_configuration_waits_for_nothing(host, run_action):
    host.replies[("config", "apply")] = {
        "valid": True,
        "changed": False,
        "digest": "00ff",
        "changes": [],
        "pending": False,
    }

    result = run_action(ActionModule, {"conf": CONF}, diff=True)

    assert result["changed"] is False
    assert result["confirm_id"] is None
    assert "diff" not in result


def test_configuration_is_required_to_apply(run_action):
    with pytest.raises(AnsibleError, match="conf"):
        run_action(ActionModule, {"state": "applied"})
