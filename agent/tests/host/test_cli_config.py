# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
"""The verbs of ``config`` on the command line: requests, diffs, problems, no secrets."""

from __future__ import annotations

import pytest
from support.terminal import CONF, PEER
from wirefleet_agent.host import call as call_module
from wirefleet_agent.host.deadline import BootClock
from wirefleet_agent.host.keystore import KeyStore
from wirefleet_agent.host.paths import Paths
from wirefleet_agent.host.store import ConfigStore
from wirefleet_agent.keys import PresharedKey


def test_check_and_apply_with_check_say_the_same_and_change_nothing(agent):
    agent.json("--tunnel", "wf0", "key", "ensure")
    checked = agent.json("--tunnel", "wf0", "config", "check", stdin={"conf": CONF})
    applied = agent.json("--tunnel", "wf0", "--check", "config", "apply", stdin={"conf": CONF, "confirm_timeout_s": 9})

    assert checked == applied
    assert checked["changed"]
    assert [change["op"] for change in checked["changes"]][:3] == ["set_private_key", "set_listen_port", "add_peer"]
    assert not Paths(agent.root).tunnel("wf0").conf.exists()


def test_without_a_daemon_a_configuration_is_written_and_can_be_confirmed(agent):
    agent.json("--tunnel", "wf0", "key", "ensure")
    reply = agent.json("--tunnel", "wf0", "config", "apply", stdin={"conf": CONF, "confirm_timeout_s": 60})
    assert (reply["running"], reply["pending"]) == (False, True)
    assert agent.json("config", "show")["pending"]

    wrong = agent.json("config", "confirm", stdin={"confirm_id": "x"}, code=5)
    preview = agent.json("--check", "config", "confirm", stdin={"confirm_id": reply["confirm_id"]})
    confirmed = agent.json("config", "confirm", stdin={"confirm_id": reply["confirm_id"]})

    assert wrong["error"]["code"] == "refused"
    assert preview == confirmed == {"changed": True, "digest": reply["digest"]}
    assert agent.json("config", "apply", stdin={"conf": CONF})["changed"] is False
    assert agent.json("status")["config_digest"] == reply["digest"]


def test_people_see_a_diff_and_what_to_do_next(agent, tmp_path):
    agent.json("--tunnel", "wf0", "key", "ensure")
    (tmp_path / "new.conf").write_text(CONF)
    code, out = agent(
        "--tunnel", "wf0", "config", "apply", "--conf", str(tmp_path / "new.conf"), "--confirm-timeout", "60"
    )

    assert code == 0
    assert "+ListenPort = 51820" in out
    assert "add_peer" in out
    assert "reverts in 60 s unless confirmed with" in out
    assert "the daemon is not running" in out
    confirm_id = out.split("confirmed with ")[1].split()[0]
    assert agent("config", "confirm", "--id", confirm_id) == (0, "confirmed\n")
    assert agent("config", "confirm", "--id", confirm_id) == (0, "was confirmed before\n")
    assert "ListenPort" in agent("config", "show")[1]
    (tmp_path / "new.toml").write_text("")
    assert agent("config", "check", "--conf", str(tmp_path / "new.conf"), "--toml", str(tmp_path / "new.toml"))[1] == (
        "unchanged\n"
    )
    assert agent("config", "check", "--conf", str(tmp_path / "none.conf"))[0] == 2


def test_no_reply_shows_a_secret(agent):
    psk = PresharedKey(bytes(range(60, 92))).reveal_base64()
    agent.json("--tunnel", "wf0", "key", "ensure")
    request = {"conf": CONF, "preshared_keys": {PEER: psk}}
    outputs = [str(agent.json("--tunnel", "wf0", "config", verb, stdin=request)) for verb in ("check", "apply")]
    outputs += [str(agent.json("config", "show")), agent("config", "show")[1], str(agent.json("status"))]
    outputs += [str(agent.json("config", "check", stdin=request | {"preshared_keys": {PEER: psk[:-2]}}, code=3))]
    broken = CONF.replace("AllowedIPs = 10.9.0.2/32", f"PresharedKey = {psk}x")
    outputs += [str(agent.json("config", "check", stdin={"conf": broken}, code=3))]
    private = KeyStore(Paths(agent.root)).private_key("wf0").reveal_base64()

    assert psk in ConfigStore(Paths(agent.root).tunnel("wf0"), BootClock.of_system()).current().conf
    assert not [output for output in outputs if psk in output or psk[:-2] in output or private in output]


def test_all_problems_of_a_configuration_are_told(agent):
    conf = "[Interface]\nListenPort = 99999\nMTU = many\n"

    error = agent.json("--tunnel", "wf0", "config", "check", stdin={"conf": conf}, code=3)["error"]

    assert [problem["path"] for problem in error["errors"]] == [
        "wf0.conf:2 [Interface] ListenPort",
        "wf0.conf:3 [Interface] MTU",
    ]
    assert agent("--tunnel", "wf0", "config", "check", stdin={"conf": conf})[0] == 3
    assert "wf0.conf:2" in agent.err
    assert "wf0.conf:3" in agent.err


@pytest.mark.parametrize("text", ["", "[]", "{", "nonsense PrivateKey=abc", '"x"'])
def test_a_request_that_is_no_object_is_a_usage_error_that_quotes_nothing(agent, text):
    error = agent.json("--tunnel", "wf0", "config", "check", stdin=text, code=2)["error"]

    assert error["path"] == "stdin"
    assert "abc" not in str(error)


def test_a_request_has_a_limit(agent, monkeypatch):
    monkeypatch.setattr(call_module, "MAX_MESSAGE_BYTES", 10)

    assert (
        "more than"
        in agent.json("--tunnel", "wf0", "config", "check", stdin={"conf": CONF}, code=2)["error"]["message"]
    )
