# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import errno
import json
import sys

import pytest
from support.terminal import CONF, PEER
from wirefleet_agent.errors import DriverError
from wirefleet_agent.host import cli
from wirefleet_agent.host.file_lock import FileLock
from wirefleet_agent.host.paths import Paths

if sys.platform != "win32":
    from support.memory_host import MemoryHost


def test_help_explains_every_verb_with_examples(agent, capsys):
    for words in ([], ["key"], ["config"], ["health"], ["run"], ["daemon"], ["release"], ["secure"], ["graph"]):
        with pytest.raises(SystemExit) as caught:
            cli.main([*words, "--help"])
        assert caught.value.code == 0
        assert "example" in capsys.readouterr().out


def test_wrong_words_are_a_usage_error_in_both_forms(agent):
    assert agent("nonsense")[0] == 2
    assert "invalid choice" in agent.err
    assert agent.json("nonsense", code=2)["error"]["code"] == "usage"
    assert agent.json("config", code=2)["error"]["code"] == "usage"


def test_options_stand_before_or_after_the_verb(agent):
    agent.json("--tunnel", "wf0", "key", "ensure")
    code, out = agent("key", "show", "--tunnel", "wf0", "--json")

    assert code == 0
    assert json.loads(out)["tunnel"] == "wf0"


def test_the_root_may_come_from_the_environment(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WIREFLEET_ROOT", str(tmp_path / "host"))

    assert cli.main(["--tunnel", "wf0", "key", "ensure"]) == 0
    assert Paths(tmp_path / "host").tunnel("wf0").private_key.exists()


def test_a_relative_root_is_below_the_working_directory(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    assert cli.main(["--root", "host", "--tunnel", "wf0", "key", "ensure"]) == 0
    assert Paths(tmp_path / "host").tunnel("wf0").private_key.exists()


def test_the_only_configured_tunnel_need_not_be_named(agent):
    assert "none is configured" in agent.json("status", code=2)["error"]["hint"]
    agent.json("--tunnel", "wf7", "key", "ensure")
    agent.json("--tunnel", "wf7", "config", "apply", stdin={"conf": CONF})

    assert agent.json("status")["tunnel"] == "wf7"
    agent.json("--tunnel", "wf8", "key", "ensure")
    agent.json("--tunnel", "wf8", "config", "apply", stdin={"conf": CONF})
    assert agent.json("status", code=2)["error"]["hint"] == "configured: wf7, wf8"


def test_key_verbs_for_people_print_the_public_key(agent):
    code, out = agent("--tunnel", "wf0", "key", "ensure")
    assert code == 0
    assert out.strip() == agent.json("--tunnel", "wf0", "key", "show")["public_key"]
    assert agent("--tunnel", "wf1", "--check", "key", "ensure") == (0, "no key yet; one would be made\n")
    assert agent.json("--tunnel", "wf0", "--check", "key", "rotate")["public_key"] == out.strip()
    assert agent.json("--tunnel", "wf0", "key", "rotate")["public_key"] != out.strip()
    assert agent.json("--tunnel", "wf9", "key", "show", code=5)["error"]["code"] == "refused"


def test_the_status_of_what_does_not_run_is_an_answer_not_an_error(agent):
    agent.json("--tunnel", "wf0", "key", "ensure")

    reply = agent.json("--tunnel", "wf0", "status")

    assert (reply["running"], reply["pid"], reply["peers"], reply["pending"]) == (False, None, [], False)
    assert reply["public_key"]
    assert reply["configured"] is False
    assert agent("--tunnel", "wf0", "status") == (0, "wf0: not running, and not configured\n")
    agent.json("--tunnel", "wf0", "config", "apply", stdin={"conf": CONF})
    assert agent.json("--tunnel", "wf0", "status")["configured"] is True
    assert agent("--tunnel", "wf0", "status") == (0, "wf0: not running\n")


def test_the_status_of_a_tunnel_that_nobody_ever_made_says_so(agent):
    reply = agent.json("--tunnel", "nope", "status")

    assert (reply["configured"], reply["public_key"]) == (False, None)
    assert agent("--tunnel", "nope", "status") == (
        0,
        "nope: there is no such tunnel: neither a key nor a configuration\n",
    )


def test_the_health_of_what_does_not_run_is_not_reachable(agent):
    reply = agent.json("--tunnel", "wf0", "health", code=4)

    assert (reply["healthy"], reply["peers"], reply["error"]["code"]) == (False, [], "not_reachable")
    assert agent.json("--tunnel", "wf0", "health", "--wait", "--timeout", "0.3", code=4)["waited_s"] >= 0.3
    assert agent("--tunnel", "wf0", "health")[0] == 4


@pytest.mark.linux_only
def test_a_running_service_answers_status_and_health(agent, tmp_path):
    agent.json("--tunnel", "wf0", "key", "ensure")
    host = MemoryHost(tmp_path)
    with host.running():
        applied = agent.json("--tunnel", "wf0", "config", "apply", stdin={"conf": CONF, "confirm_timeout_s": 60})
        status = agent.json("status")
        text = agent("status")[1]
        healthy = agent.json("health")
        unhealthy = agent.json("health", stdin={"peers": [PEER]}, code=4)
        sick_text = agent("health", stdin={"peers": [PEER]})[1]

    assert applied["running"]
    assert status["running"]
    assert status["pending"]
    assert status["interface"]["name"] == "wf0"
    assert "10.9.0.1/24" in text
    assert "waits for its confirmation" in text
    assert healthy["healthy"]
    silent = {"public_key": PEER, "name": None, "ok": False, "last_handshake_age_s": None, "is_proven": False}
    assert unhealthy["peers"] == [silent | {"answers_heartbeats": None}]
    assert "BAD" in sick_text
    assert set(agent.json("status")) == set(status)


@pytest.mark.linux_only
def test_a_problem_of_the_service_is_in_its_status(agent, tmp_path):
    agent.json("--tunnel", "wf0", "key", "ensure")
    agent.json("--tunnel", "wf0", "config", "apply", stdin={"conf": CONF})
    host = MemoryHost(tmp_path)
    host.drivers.fail_next = DriverError("no TUN", call="open", os_code=errno.ENODEV, path="/dev/net/tun")
    with host.running():
        assert agent.json("status")["error"]["path"] == "/dev/net/tun"
        assert "problem: /dev/net/tun no TUN" in agent("status")[1]


def test_while_a_daemon_starts_a_change_waits_and_then_gives_up(agent, monkeypatch):
    agent.json("--tunnel", "wf0", "key", "ensure")
    monkeypatch.setattr("wirefleet_agent.host.by_daemon._BUSY_S", 0.2)
    key = Paths(agent.root).tunnel("wf0").private_key
    before = key.read_text()

    with FileLock(Paths(agent.root).tunnel("wf0").pid):
        errors = [
            agent.json("--tunnel", "wf0", "config", "apply", stdin={"conf": CONF}, code=5)["error"],
            agent.json("--tunnel", "wf0", "key", "rotate", code=5)["error"],
        ]

    assert all("starting or stopping" in error["message"] for error in errors)
    assert key.read_text() == before


def test_releases_for_people(agent, tmp_path):
    assert agent("release", "list") == (0, "nothing is installed\n")
    assert agent.json("release", "rollback", code=5)["error"]["code"] == "refused"
    for name in ("0.1.0", "0.2.0"):
        home = Paths(tmp_path).release_dir / name
        (home / "bin").mkdir(parents=True)
        for command in ("bin/wirefleet-agent", "python.exe"):
            (home / command).touch(0o755)
        (home / "release.json").write_text(json.dumps({"digest": name[2] * 64}))
        assert agent("release", "activate", name) == (0, f"current: {name}\n")

    assert agent("release", "list")[1] == "  0.1.0  111111111111  (previous)\n* 0.2.0  222222222222\n"
    assert agent("release", "rollback") == (0, "current: 0.1.0\n")


def test_the_graph_is_printed_as_text_and_as_mermaid(agent):
    assert "TunnelService" in agent("graph")[1]
    reply = agent.json("graph", "--format", "mermaid")
    assert reply["format"] == "mermaid"
    assert reply["graph"].startswith("flowchart LR\n")


def test_a_mistake_of_ours_shows_its_kind_only(agent, monkeypatch):
    def fail(call):
        raise ValueError("PrivateKey = secret")

    monkeypatch.setattr("wirefleet_agent.host.releases.ReleaseStore.list", fail)
    error = agent.json("release", "list", code=1)["error"]

    assert (error["code"], "ValueError" in error["message"], "secret" in str(error)) == ("internal", True, False)
    assert "Traceback" not in agent.err
    monkeypatch.setenv("WIREFLEET_DEBUG", "1")
    agent("release", "list")
    assert "Traceback" in agent.err


def test_an_interrupt_ends_quietly(agent, monkeypatch):
    def interrupt(call):
        raise KeyboardInterrupt

    monkeypatch.setattr("wirefleet_agent.host.releases.ReleaseStore.list", interrupt)

    assert agent("release", "list") == (130, "")


def test_a_level_that_is_none_is_refused_before_anything_runs(agent, monkeypatch):
    monkeypatch.setenv("LOG_LEVEL", "loud")

    assert agent.json("--tunnel", "wf0", "run", code=2)["error"]["path"] == "LOG_LEVEL"


@pytest.mark.linux_only  # on Windows the service manager is asked, which knows no such service
def test_daemon_verbs_in_check_mode_touch_nothing(agent):
    assert agent.json("--tunnel", "wf0", "--check", "daemon", "start") == {
        "changed": True,
        "running": False,
        "pid": None,
    }
    assert agent("--tunnel", "wf0", "--check", "daemon", "start") == (0, "would be started\n")
    assert agent.json("--tunnel", "wf0", "daemon", "stop") == {"changed": False, "running": False, "pid": None}
    assert agent("--tunnel", "wf0", "daemon", "stop") == (0, "was not running\n")
    assert not list(agent.root.rglob("*"))


def test_a_request_may_begin_with_the_mark_that_powershell_writes(agent):
    agent.json("--tunnel", "wf0", "key", "ensure")

    assert agent.json("--tunnel", "wf0", "config", "check", stdin="\ufeff" + json.dumps({"conf": CONF}))["valid"]


def test_people_are_told_that_there_is_nothing_to_close(agent, tmp_path, capsys):
    assert cli.main(["--root", str(tmp_path / "none"), "secure"]) == 0
    assert capsys.readouterr().out == "there is nothing yet\n"
    agent.json("--tunnel", "wf0", "key", "ensure")

    assert agent("--check", "secure") == (0, "nothing to change\n")


@pytest.mark.linux_only
def test_people_are_told_which_paths_were_open(agent):
    agent.json("--tunnel", "wf0", "key", "ensure")
    path = Paths(agent.root).identity_key
    path.chmod(0o640)

    assert agent("--check", "secure") == (0, f"would be closed:\n{path}\n")
    assert agent("secure") == (0, f"closed:\n{path}\n")
    assert agent("secure") == (0, "nothing to change\n")


def test_a_closed_stdin_is_an_empty_one(agent, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", None)

    assert cli.main(["--root", str(agent.root), "--tunnel", "wf0", "--json", "status"]) == 0
    assert cli.main(["--root", str(agent.root), "--tunnel", "wf0", "--json", "config", "check"]) == 2
    capsys.readouterr()


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "soon", "1e9"])
@pytest.mark.parametrize("words", [("health", "--wait"), ("daemon", "start"), ("daemon", "stop")])
def test_a_timeout_that_never_ends_is_a_usage_error(agent, words, seconds):
    reply = agent.json("--tunnel", "wf0", *words, f"--timeout={seconds}", code=2)

    assert "--timeout" in reply["error"]["message"]


def test_run_has_no_check_mode(agent):
    assert agent.json("--tunnel", "wf0", "--check", "run", code=2)["error"]["path"] == "--check"
    assert not (agent.root / "run").exists()


def test_a_log_file_that_cannot_be_opened_is_named(agent, tmp_path):
    error = agent.json("--tunnel", "wf0", "run", "--log-file", str(tmp_path / "missing/log"), code=1)["error"]

    assert (error["code"], error["path"]) == ("driver", str(tmp_path / "missing/log"))


def test_no_tunnel_can_take_the_host_identity_for_its_key(agent):
    agent.json("--tunnel", "identity", "key", "ensure", code=2)

    assert not (agent.root / "var").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["--tunnel", "a/b", "config", "check"],
        ["--tunnel", "wf0", "config", "apply", "--no-such-option"],
        ["--tunnel", "wf0", "health", "--timeout", "soon"],
    ],
)
def test_a_request_is_read_to_its_end_even_by_a_call_that_fails_before_it(agent, words):
    # win_command of Ansible waits without limit until its program has read all of it.
    agent.json(*words, stdin={"conf": "#" * 100_000}, code=2)

    assert sys.stdin.buffer.read() == b""


def test_a_verb_without_a_request_does_not_wait_for_one(agent):
    agent.json("--tunnel", "a/b", "status", stdin="left alone", code=2)

    assert sys.stdin.buffer.read() == b"left alone"
