# SPDX-FileCopyrightText: 2026 WireFleet contributors
# SPDX-License-Identifier: MIT
from __future__ import annotations

import errno
import io
import json
import sys

import pytest
import structlog
from wirefleet_agent.errors import DriverError
from wirefleet_agent.host import call as call_module
from wirefleet_agent.host import cli
from wirefleet_agent.host.deadline import BootClock
from wirefleet_agent.host.file_lock import FileLock
from wirefleet_agent.host.keystore import KeyStore
from wirefleet_agent.host.paths import Paths
from wirefleet_agent.host.store import ConfigStore
from wirefleet_agent.keys import PresharedKey, PublicKey
from wirefleet_agent.observe import Logs

if sys.platform != "win32":
    from support.memory_host import MemoryHost

PEER = str(PublicKey(bytes(range(1, 33))))
CONF = f"[Interface]\nListenPort = 51820\nAddress = 10.9.0.1/24\n[Peer]\nPublicKey = {PEER}\nAllowedIPs = 10.9.0.2/32\n"


class Terminal:
    """Calls ``main`` as a shell would, below one root."""

    def __init__(self, root, monkeypatch, capsys):
        self.root = root
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.err = ""

    def __call__(self, *words: str, stdin: object = None) -> tuple[int, str]:
        text = stdin if isinstance(stdin, str) else "" if stdin is None else json.dumps(stdin)
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        code = cli.main(["--root", str(self.root), *words])
        out, self.err = self._capsys.readouterr()
        return code, out

    def json(self, *words: str, stdin: object = None, code: int = 0) -> dict:
        found, out = self("--json", *words, stdin=stdin)
        assert (found, len(out.splitlines())) == (code, 1), out + self.err
        return json.loads(out)


@pytest.fixture
def agent(tmp_path, monkeypatch, capsys):
    Logs().configure(level="silent")
    yield Terminal(tmp_path, monkeypatch, capsys)
    structlog.reset_defaults()


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
    assert unhealthy["peers"] == [silent]
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
